# Loads NAME=VALUE lines of a file (.env in the current directory) into this shell:   . tools/load-env.sh [FILE]
#
# For people at a terminal only: no command of git-strata reads .env or needs this. Lines are data, never code: nothing
# in them is expanded or run. A blank line, a line that begins with #, `export ` before a name, and one pair of quotes
# around a value are understood; what is no NAME=VALUE line is named and passed over.
_strata_env_file=${1:-.env}
if [ -f "$_strata_env_file" ]; then
    _strata_env_count=0
    while IFS= read -r _strata_env_line || [ -n "$_strata_env_line" ]; do
        _strata_env_line=${_strata_env_line%"$(printf '\r')"}
        _strata_env_line=${_strata_env_line#"${_strata_env_line%%[![:blank:]]*}"}
        _strata_env_line=${_strata_env_line#export }
        case $_strata_env_line in
            '' | '#'*) continue ;;
        esac
        _strata_env_name=${_strata_env_line%%=*}
        case $_strata_env_name in
            "$_strata_env_line" | '' | [0-9]* | *[!A-Za-z0-9_]*)
                echo "load-env: a line of $_strata_env_file is not NAME=VALUE, and was passed over" >&2
                continue
                ;;
        esac
        _strata_env_value=${_strata_env_line#*=}
        case $_strata_env_value in
            '"'*'"') _strata_env_value=${_strata_env_value#'"'} _strata_env_value=${_strata_env_value%'"'} ;;
            "'"*"'") _strata_env_value=${_strata_env_value#"'"} _strata_env_value=${_strata_env_value%"'"} ;;
        esac
        export "$_strata_env_name=$_strata_env_value"
        _strata_env_count=$((_strata_env_count + 1))
    done <"$_strata_env_file"
    echo "load-env: $_strata_env_count variables from $_strata_env_file" >&2
else
    echo "load-env: there is no $_strata_env_file (cp .env.example .env)" >&2
fi
unset _strata_env_file _strata_env_line _strata_env_name _strata_env_value _strata_env_count
