#!/usr/bin/env bash
# Installs what comes by npm (requirements/node: hook managers, what drives and judges pages in a browser), pinned by
# version and integrity, for the heavy tests.
# They end up in .tools/node/node_modules/.bin.  Usage: scripts/node-tools.sh
set -eu
cd "$(dirname "$0")/.."
place=.tools/node
mkdir -p "$place"
exec 9>.tools/node.lock
flock 9
cmp -s requirements/node/package-lock.json "$place/installed.json" && exit 0

if ! command -v npm >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  command -v apt-get >/dev/null && "${as[@]}" apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive "${as[@]}" apt-get install -y -qq --no-install-recommends nodejs npm >&2 || {
    echo "node-tools: npm is needed for some heavy tests. Please install it: apt-get install -y nodejs npm" >&2
    exit 1
  }
fi

cp requirements/node/package.json requirements/node/package-lock.json "$place/"
# No script of a package runs: what we need are files only.
(cd "$place" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error >npm.log) || { cat "$place/npm.log" >&2; exit 1; }
cp requirements/node/package-lock.json "$place/installed.json"
