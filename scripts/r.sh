#!/usr/bin/env bash
# Sees to it that R is there for the heavy tests of services, with the packages that these need; installs them when it
# may, names the command otherwise.
set -u

found() {
  command -v Rscript >/dev/null || return
  Rscript --vanilla -e 'for (name in c("httpuv", "jsonlite")) if (!requireNamespace(name, quietly = TRUE)) quit(status = 1)' >/dev/null 2>&1
}

found && exit 0
packages=(r-base-core r-cran-httpuv r-cran-jsonlite)
if command -v apt-get >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  found && exit 0
fi
echo "r: R is needed for some heavy tests. Please install it: apt-get install -y --no-install-recommends ${packages[*]}" >&2
echo "   (macOS: brew install r, then in R: install.packages(c('httpuv', 'jsonlite')))" >&2
exit 1
