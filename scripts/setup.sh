#!/usr/bin/env bash
# Makes a virtual environment from a list of pinned and hashed requirements.
# Usage: scripts/setup.sh VENV REQUIREMENTS [--editable]      --editable also installs this project, to be edited
set -eu
venv=$1 requirements=$2 editable=${3:-}

python() {
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" "$@"
      return
    fi
  done
  echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3" >&2
  exit 1
}

[ -x "$venv/bin/python" ] || python -m venv "$venv"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input)
"${pip[@]}" install --require-hashes -r requirements/bootstrap.txt
# uv is many times faster; pip reads the same file where uv meets a configuration that it does not know. Both compile:
# who starts Python a thousand times would have it compile the same packages each time.
"$venv/bin/uv" pip install --quiet --no-config --compile-bytecode --python "$venv/bin/python" --require-hashes \
  -r "$requirements" ||
  "${pip[@]}" install --require-hashes -r "$requirements"
[ -z "$editable" ] || "${pip[@]}" install --no-deps --no-build-isolation --no-index -e .
