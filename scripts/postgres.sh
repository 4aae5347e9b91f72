#!/usr/bin/env bash
# Sees to it that PostgreSQL's programs are there for the heavy tests of tracking; installs them when it may, names the
# command otherwise. The tests make clusters of their own: none that the package may start is used.
set -u

found() {
  local program
  for program in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb)"; do [ -x "$program" ] && return; done
  return 1
}

found && exit 0
if command -v apt-get >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends postgresql >&2
  found && exit 0
fi
echo "postgres: PostgreSQL is needed for some heavy tests. Please install it: apt-get install -y postgresql" >&2
exit 1
