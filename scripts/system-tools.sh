#!/usr/bin/env bash
# Checks the tools that no Python package brings; installs a missing one when it may, names the exact command otherwise.
# Usage: scripts/system-tools.sh [--check]      --check never installs
set -u

tools=()    # names of what is missing
packages=() # Debian packages that bring it
formulas=() # Homebrew formulas that bring it

missing() { tools+=("$1") packages+=("$2") formulas+=("$3"); }

survey() {
  tools=() packages=() formulas=()
  new_enough_git || missing "git >= 2.36" git git
  git lfs version >/dev/null 2>&1 || missing git-lfs git-lfs git-lfs
  command -v gpg >/dev/null && command -v gpgconf >/dev/null || missing gpg gnupg gnupg
  command -v ssh-keygen >/dev/null || missing ssh-keygen openssh-client openssh
  command -v man >/dev/null || missing man man-db man-db
  "${PYTHON:-python3}" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing "python venv" python3-venv python
}

# What tests want and a user can do without: graphviz checks drawings, tesseract reads pictures, eatmydata keeps a thousand commits from waiting
# for the disk (Linux only).
survey_wanted() {
  tools=() packages=() formulas=()
  command -v dot >/dev/null || missing dot graphviz graphviz
  tesseract --list-langs 2>/dev/null | grep -qx eng || missing tesseract "tesseract-ocr tesseract-ocr-eng" tesseract
  command -v apt-get >/dev/null && { command -v eatmydata >/dev/null || missing eatmydata eatmydata ""; }
  return 0
}

new_enough_git() {
  local version major minor
  version=$(git version 2>/dev/null) || return 1
  version=${version#git version }
  IFS=. read -r major minor _ <<<"$version"
  ((major > 2 || (major == 2 && minor >= 36)))
}

# The command that would install what is missing; empty where we know none.
remedy() {
  if command -v apt-get >/dev/null; then
    printf 'apt-get install -y --no-install-recommends %s' "${packages[*]}"
  elif command -v brew >/dev/null; then
    printf 'brew install %s' "${formulas[*]}"
  fi
}

install_missing() {
  local as=()
  export DEBIAN_FRONTEND=noninteractive
  if command -v apt-get >/dev/null; then
    if [ "$(id -u)" -ne 0 ]; then
      command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
      as=(sudo -n)
    fi
    "${as[@]}" apt-get update -qq
    "${as[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
  elif command -v brew >/dev/null; then
    brew install --quiet "${formulas[@]}"
  else
    return 1
  fi
}

survey
if [ ${#tools[@]} -ne 0 ]; then
  list=$(printf '%s, ' "${tools[@]}")
  echo "system tools missing: ${list%, }" >&2
  if [ "${1:-}" != --check ] && install_missing >&2; then
    survey
  fi
fi
if [ ${#tools[@]} -eq 0 ]; then
  survey_wanted
  if [ "${1:-}" != --check ] && [ ${#tools[@]} -ne 0 ]; then
    install_missing >&2 || echo "without: ${tools[*]}" >&2
  fi
  exit 0
fi
command=$(remedy)
[ -n "$command" ] && [ "$(id -u)" -ne 0 ] && [[ $command == apt-get* ]] && command="sudo $command"
echo "Please install: ${tools[*]}" >&2
[ -n "$command" ] && printf '  %s\n' "$command" >&2
exit 1
