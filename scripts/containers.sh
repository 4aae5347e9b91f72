#!/usr/bin/env bash
# Sees to it that images can be built and run for the heavy tests of services: podman and buildah with what they need,
# skopeo and umoci, which look at images with eyes of their own, and a small Debian with Python as the image that they
# start from. Installs what is missing when it may, names the command otherwise. Nothing is taken from a registry.
# Usage: scripts/containers.sh      the base is .tools/containers/base.tar
set -u
cd "$(dirname "$0")/.."

packages='buildah crun fuse-overlayfs mmdebstrap podman skopeo uidmap umoci'
place=.tools/containers
base=$place/base.tar

found() {
  local program
  for program in buildah crun mmdebstrap nsenter podman skopeo umoci unshare; do
    command -v "$program" >/dev/null || return 1
  done
}

if ! found && command -v apt-get >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends $packages >&2
fi
found || {
  echo "containers: engines are needed for some heavy tests. Please install them: apt-get install -y $packages" >&2
  exit 1
}

mkdir -p "$place"
exec 9>"$place/lock"
flock 9
[ -s "$base" ] && exit 0
# Packages are copied into images as they are installed here: the base needs the same Python.
minor=$("${PYTHON:-python3}" -c 'import sys; print(sys.version_info.minor)')
case $minor in
  11) suite=bookworm ;;
  13) suite=trixie ;;
  *)
    echo "containers: no release of Debian has Python 3.$minor; the tests of images are left out." >&2
    exit 0
    ;;
esac
mmdebstrap --quiet --format=tar --variant=essential --include=python3,libstdc++6 \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' "$suite" "$base.part" >&2 || exit 1
mv "$base.part" "$base"
