# Loads NAME=VALUE lines of a file (.env in the current directory) into this session:   . tools/load-env.ps1 [-File FILE]
#
# For people at a terminal only: no command of git-strata reads .env or needs this. Lines are data, never code: nothing
# in them is expanded or run. A blank line, a line that begins with #, `export ` before a name, and one pair of quotes
# around a value are understood; what is no NAME=VALUE line is named and passed over.
param([string]$File = '.env')

if (-not (Test-Path -LiteralPath $File -PathType Leaf)) {
    Write-Warning "load-env: there is no $File (Copy-Item .env.example .env)"
    return
}
$count = 0
foreach ($line in Get-Content -LiteralPath $File -Encoding UTF8) {
    $text = $line.TrimStart()
    if ($text -eq '' -or $text.StartsWith('#')) { continue }
    if ($text -notmatch '^(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(.*)$') {
        Write-Warning "load-env: a line of $File is not NAME=VALUE, and was passed over"
        continue
    }
    $name, $value = $Matches[1], $Matches[2]
    if ($value -match '^"(.*)"$' -or $value -match "^'(.*)'$") { $value = $Matches[1] }
    [Environment]::SetEnvironmentVariable($name, $value, 'Process')
    $count++
}
Write-Host "load-env: $count variables from $File"
