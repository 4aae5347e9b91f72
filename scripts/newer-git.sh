#!/usr/bin/env bash
# Unpacks a git >= 2.54 beside the system's own, for the heavy tests: .tools/newer-git/bin comes first on their PATH.
# It is Debian's package from the first suite that has one new enough, with the C library it was built for; nothing is
# installed and no configuration of apt is changed. Where the system's git is new enough it is that one.
# Usage: scripts/newer-git.sh      https transport is not included
set -eu
cd "$(dirname "$0")/.."
place=$PWD/.tools/newer-git
suites='testing sid'
packages='git libc6 libpcre2-8-0 zlib1g'

new_enough() { # MAJOR.MINOR...
  local major minor
  IFS=. read -r major minor _ <<<"$1"
  ((major > 2 || (major == 2 && minor >= 54)))
}

version_of() { "$1" version 2>/dev/null | sed -n 's/^git version //p'; }

mkdir -p .tools
exec 9>.tools/newer-git.lock
flock 9
found=$(version_of "$place/bin/git" || :)
[ -z "$found" ] || { new_enough "$found" && exit 0; }
rm -rf "$place"

found=$(version_of git || :)
if [ -n "$found" ] && new_enough "$found"; then
  mkdir -p "$place/bin"
  ln -s "$(command -v git)" "$place/bin/git"
  exit 0
fi

for tool in apt-get dpkg-deb; do
  command -v "$tool" >/dev/null || {
    echo "newer-git: git >= 2.54 is needed for some heavy tests. Install it: only on Debian can this script fetch it." >&2
    exit 1
  }
done

work=$(mktemp -d "$PWD/.tools/newer-git.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,etc,root}

# The same mirror and the same keys as the machine's own Debian sources.
mirror=$(apt-get update --print-uris -o Dir::State::lists="$work/lists" |
  sed -n "s,^'\(.*/debian\)/dists/.*,\1/,p" | head -n 1)
[ -n "$mirror" ] || {
  echo "newer-git: apt knows no mirror of Debian here; install git >= 2.54 yourself." >&2
  exit 1
}
keys=/usr/share/keyrings/debian-archive-keyring.gpg

apart() { # apt-get or apt-cache, with lists and archives of our own
  local program=$1
  shift
  "$program" -q -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status=/dev/null \
    -o Dir::Cache="$work" -o Dir::Etc::sourcelist="$work/etc/only.sources" -o Dir::Etc::sourceparts=- \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$work/etc" -o APT::Update::Post-Invoke-Success= \
    -o APT::Update::Post-Invoke= -o APT::Sandbox::User= "$@"
}

chosen=
for suite in $suites; do
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suite" "$keys" \
    >"$work/etc/only.sources"
  apart apt-get update >"$work/log" 2>&1 || { cat "$work/log" >&2; continue; }
  version=$(apart apt-cache show --no-all-versions git | sed -n 's/^Version: \([0-9]*:\)\{0,1\}//p')
  new_enough "$version" && chosen=$suite && break
done
[ -n "$chosen" ] || { echo "newer-git: no suite ($suites) has git >= 2.54 now." >&2; exit 1; }

# shellcheck disable=SC2086
(cd "$work/archives" && apart apt-get download $packages >"$work/log" 2>&1) || { cat "$work/log" >&2; exit 1; }
for package in "$work"/archives/*.deb; do dpkg-deb --extract "$package" "$work/root"; done

# Every program is started through its own loader, under the name it was called by.
loader=$(find "$work/root" -name 'ld-linux*.so.*' -o -name 'ld64.so.*' | head -n 1)
[ -n "$loader" ] || { echo "newer-git: the C library's loader was not found in the package." >&2; exit 1; }
libraries=$(dirname "$(find "$work/root" -name 'libc.so.6' | head -n 1)")
libraries=$libraries:$(dirname "$(find "$work/root" -name 'libpcre2-8.so.0' | head -n 1)")
libraries=$libraries:$(dirname "$(find "$work/root" -name 'libz.so.1' | head -n 1)")
mv "$work/root/usr/lib/git-core" "$work/root/git-core"
mkdir -p "$work/root/core" "$work/root/bin"
for program in "$work"/root/git-core/* "$work/root/usr/bin/git"; do
  name=${program##*/}
  case $program in */usr/bin/git) file=bin/git ;; *) file=core/$name ;; esac
  if [ -d "$program" ]; then
    mv "$program" "$work/root/core/$name"
    continue
  fi
  if [ "$(head -c 4 "$program" | tail -c 3)" != ELF ]; then
    cp "$program" "$work/root/$file"
    continue
  fi
  real=git-core/$name builtin=
  case $name in
    git) real=usr/bin/git ;;
    *) [ "$(stat -Lc %s "$program")" = "$(stat -Lc %s "$work/root/usr/bin/git")" ] && real=usr/bin/git builtin=${name#git-} ;;
  esac
  {
    echo '#!/bin/sh'
    echo "GIT_EXEC_PATH='$place/core' GIT_TEMPLATE_DIR=\${GIT_TEMPLATE_DIR-'$place/usr/share/git-core/templates'}"
    echo 'export GIT_EXEC_PATH GIT_TEMPLATE_DIR'
    echo "exec '${loader/#"$work/root"/"$place"}' --library-path '${libraries//"$work/root"/"$place"}' '$place/$real' $builtin \"\$@\""
  } >"$work/root/$file"
  chmod 755 "$work/root/$file"
done
rm -rf "$work/root/usr/share/doc" "$work/root/usr/share/locale"
mv "$work/root" "$place"
found=$(version_of "$place/bin/git")
new_enough "$found" || { echo "newer-git: unpacked, but it does not run." >&2; rm -rf "$place"; exit 1; }
echo "newer-git: $found ($chosen)"
