#!/usr/bin/env bash
# Sees to it that there is a Chromium for the heavy tests of the dashboard; installs it when it may, names the command
# otherwise. `scripts/browser.sh --which` prints where it is.
set -u

found() {
  local name
  for name in chromium chromium-browser google-chrome; do command -v "$name" && return; done
  return 1
}

if place=$(found); then
  [ "${1:-}" != --which ] || echo "$place"
  exit 0
fi
if [ "${1:-}" != --which ] && command -v apt-get >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2
  found >/dev/null && exit 0
fi
echo "browser: Chromium is needed for some heavy tests. Please install it: apt-get install -y chromium fonts-dejavu-core" >&2
exit 1
