#!/usr/bin/env bash
# Sees to it that Debian's PyTorch (for the processor alone, a tenth of the one that brings CUDA) is there for the heavy
# test of examples/torch; installs it when it may, names the command otherwise.
set -u

found() { /usr/bin/python3 -c 'import torch' 2>/dev/null; }

found && exit 0
if command -v apt-get >/dev/null; then
  as=()
  [ "$(id -u)" -eq 0 ] || as=(sudo -n)
  export DEBIAN_FRONTEND=noninteractive
  "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends python3-torch >&2
  found && exit 0
fi
echo "torch: examples/torch is not tried. To try it: apt-get install -y python3-torch" >&2
exit 0 # the rest of the heavy tests does without
