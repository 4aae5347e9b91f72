"""The texts of the hooks that are installed: the packaged gates, told where our program is and who else to call.

A gate is one POSIX script. In the hooks directory it may have to call the hook that was there before (a chain); named
in configuration it gives way to itself in the hooks directory, so that no version of git runs it twice.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from strata_git.repo.hook_files import KEPT
from strata_git.resources import folder

_PROGRAM = re.compile(rb"(?m)^hook='.*'$")
_HEAD = re.compile(rb"(?:#[^\n]*\n)*")
_LAST = b"# then who was here before, and last git-lfs\n"

_FIRST = """
# who was here before is kept beside this file and comes first; what it refuses is refused
kept=${0%%/*}/%s
[ -x "$kept" ] && { "$kept" "$@" || exit; }
"""
_AFTER_THE_FACT = """
# who was here before is kept beside this file and comes first; how it ends is how this ends
kept=${0%%/*}/%s
[ -x "$kept" ] && { "$kept" "$@" || { code=$?; trap 'exit "$code"' EXIT; }; }
"""
_RECEIVING = """
# who was here before is kept beside this file and comes first; both are told the same
kept=${0%%/*}/%s
if [ -x "$kept" ]; then
    refs=$(while IFS= read -r line || [ -n "$line" ]; do printf '%%s\\n' "$line"; done && echo .)
    refs=${refs%%?.}
    printf '%%s\\n' "$refs" | "$kept" "$@" || exit
    exec <<END
$refs
END
fi
"""
_PUSHING = """kept=${0%%/*}/%s
if [ -x "$kept" ]; then
    printf '%%s' "$refs" | "$kept" "$@" || exit
fi
"""
_CONFIGURED = """
# git >= 2.54 calls this by configuration; where the hooks directory calls us too, it is left to that
other=${0%%/strata/gates/*}/hooks/%s mark=
if [ -x "$other" ]; then
    { read -r mark && read -r mark; } <"$other"
    case $mark in
        '# git-strata: '*) [ "$(git rev-parse --git-path hooks/%s)" -ef "$other" ] && exit 0 ;;
    esac
fi
"""


def source(name: str) -> bytes:
    """The packaged gate of a hook."""
    return (folder("hooks") / name).read_bytes()


def shim(name: str, *, chained: bool = False) -> bytes:
    """What goes into the hooks directory; `chained`: with a call of the hook that was there before."""
    text = _with_program(source(name))
    if not chained:
        return text
    kept = f"{name}{KEPT}"
    if name == "pre-push":
        return text.replace(_LAST, _LAST + (_PUSHING % kept).encode(), 1)
    words = {"pre-receive": _RECEIVING}.get(name, _AFTER_THE_FACT if name.startswith("post-") else _FIRST)
    return _after_head(text, words % kept)


def configured(name: str) -> bytes:
    """What configuration names, in the git directory."""
    return _after_head(_with_program(source(name)), _CONFIGURED % (name, name))


def gate_path(common_dir: Path, name: str) -> Path:
    """Where the gate lies that configuration names."""
    return common_dir / "strata" / "gates" / name


def command(name: str) -> str:
    """The value of `hook.strata-<name>.command`: it finds the gate wherever the repository is moved or mounted.

    `exec` keeps git the parent of the gate; git adds the arguments at the end.
    """
    find = '[ -d "$d/strata/gates" ] || d=$(git rev-parse --git-common-dir)'
    gone = 'echo "git-strata: $g is gone; put it back: git strata install" >&2'
    return f'd=${{GIT_DIR:-.git}}; {find}; g=$d/strata/gates/{name}; [ -x "$g" ] || {{ {gone}; exit 1; }}; exec "$g"'


def neutral(text: bytes) -> bytes:
    """A script without the place of our program: what is the same in every environment."""
    return _PROGRAM.sub(b"hook=''", text, count=1)


def _with_program(text: bytes) -> bytes:
    program = Path(sys.executable).with_name("git-strata-hook")
    if not program.exists() or "\n" in str(program):
        return text
    quoted = os.fsencode(program).replace(b"'", rb"'\''")
    return text.replace(b"hook='git-strata-hook'", b"hook='" + quoted + b"'", 1)


def _after_head(text: bytes, words: str) -> bytes:
    match = _HEAD.match(text)
    end = match.end() if match else 0
    return text[:end] + words.encode() + text[end:]
