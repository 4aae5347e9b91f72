"""Putting our hooks into a repository beside git-lfs's, and taking them out again, byte for byte.

`core.hooksPath` is never set and no foreign script is edited. What stood in a hook's place and was git-lfs's own is
kept verbatim in the git directory; ours calls git-lfs last with the same standard input.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.hooks.locks import note_locks
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.resources import folder

NAMES = ("pre-commit", "pre-merge-commit", "post-commit", "pre-push")
RECEIVING = ("pre-receive",)
"""Hooks of a bare repository: nobody commits there, everybody pushes to it."""
_MARK = b"# git-strata"
_LFS = rb'#!/bin/sh\n(command -v git-lfs [^\n]*\n)?git lfs %s "\$@"\n?'
_FRAMEWORKS = {b"pre-commit.com": "pre-commit", b"prek": "prek", b"husky": "husky", b"lefthook": "lefthook"}


@dataclass(frozen=True, slots=True)
class HookState:
    """One hook of a repository.

    `state`: ours, outdated (ours, of another version of git-strata), changed (ours, edited), git-lfs, foreign, absent.
    """

    name: str
    path: Path
    state: str
    detail: str = ""


def install(repo: Repository) -> list[str]:
    """Install every hook that nobody else owns; one sentence for each. Doing it twice changes nothing."""
    directory = hooks_dir(repo)
    told = []
    for name in names_in(repo):
        state = hook_state(repo, name)
        if state.state == "foreign":
            told.append(_foreign(state))
            continue
        if state.state == "ours" and state.path.read_bytes() == _script(name):
            told.append(f"{name}: already installed")
            continue
        if state.state == "changed":
            told.append(f"{name}: our hook was edited and is left as it is; `git strata uninstall` tells more")
            continue
        if state.state == "git-lfs":
            _keep(repo, name, state.path.read_bytes())
        directory.mkdir(parents=True, exist_ok=True)
        write_file(state.path, _script(name), 0o755)
        _remember(repo, name)
        done = "renewed" if state.state in ("ours", "outdated") else "installed"
        told.append(f"{name}: {done}" + (", git-lfs is called after it" if state.state == "git-lfs" else ""))
    note_locks(repo)
    return told


def uninstall(repo: Repository) -> list[str]:
    """Take our hooks out and put back what was there before them."""
    told = []
    for name in names_in(repo):
        state = hook_state(repo, name)
        if state.state == "changed":
            told.append(f"{name}: differs from what we installed and is left as it is: {printable(str(state.path))}")
        elif state.state in ("ours", "outdated"):
            _installed(repo, name).unlink(missing_ok=True)
            kept = _kept(repo, name)
            if kept.exists():
                write_file(state.path, kept.read_bytes(), 0o755)
                kept.unlink()
                told.append(f"{name}: removed, what was there before is back")
            else:
                state.path.unlink()
                told.append(f"{name}: removed")
        else:
            told.append(f"{name}: not ours")
    return told


def names_in(repo: Repository) -> tuple[str, ...]:
    """The hooks that belong into a repository."""
    return RECEIVING if repo.worktree is None else NAMES


def hook_state(repo: Repository, name: str) -> HookState:
    """Who owns a hook."""
    path = hooks_dir(repo) / name
    try:
        if path.is_symlink():
            return HookState(name, path, "foreign", "symbolic link")
        data = path.read_bytes()
    except FileNotFoundError:
        return HookState(name, path, "absent")
    except OSError as error:
        raise StrataError(f"{printable(str(path))} could not be read: {error.strerror}.") from None
    if _MARK in data:
        return HookState(name, path, _whose(repo, name, path, data))
    if re.fullmatch(_LFS % name.encode(), data):
        return HookState(name, path, "git-lfs")
    owner = next((name for mark, name in _FRAMEWORKS.items() if mark in data.lower()), "")
    return HookState(name, path, "foreign", owner)


def _whose(repo: Repository, name: str, path: Path, data: bytes) -> str:
    if not os.access(path, os.X_OK):  # git passes over a hook that is not executable
        return "changed"
    plain = re.sub(rb"(?m)^hook='.*'$", b"hook=''", data)
    if plain == re.sub(rb"(?m)^hook='.*'$", b"hook=''", _source(name)):
        return "ours"
    try:
        before = _installed(repo, name).read_bytes()
    except OSError:
        return "changed"
    return "outdated" if before == data else "changed"


def hooks_dir(repo: Repository) -> Path:
    """Where git looks for hooks here. Raises StrataError where that is shared with other repositories."""
    shared = repo.try_user_git("config", "--show-scope", "--get", "core.hooksPath")
    if shared.code == 0 and shared.out.split(b"\t")[0] in (b"global", b"system"):
        raise StrataError(
            "core.hooksPath of your global git configuration sends every repository to one hooks directory.",
            hint="git config --global --unset core.hooksPath   or call `git-strata-hook NAME` from the hooks there",
        )
    out = repo.user_git("rev-parse", "--git-path", "hooks")
    return (repo.directory / os.fsdecode(out).rstrip("\n")).resolve()


def _source(name: str) -> bytes:
    return (folder("hooks") / name).read_bytes()


def _script(name: str) -> bytes:
    program = Path(sys.executable).with_name("git-strata-hook")
    if not program.exists() or "'" in str(program):
        return _source(name)
    return _source(name).replace(b"hook='git-strata-hook'", b"hook='" + os.fsencode(program) + b"'", 1)


def _foreign(state: HookState) -> str:
    entry = f"git-strata-hook {state.name}"
    if state.detail in ("pre-commit", "prek"):
        ids = "strata, strata-seal-sync"
        return f"{state.name}: belongs to {state.detail}; add our hooks to .pre-commit-config.yaml (ids: {ids})"
    belongs = {"": "is a script of somebody else", "symbolic link": "is a symbolic link"}
    owner = belongs.get(state.detail, f"belongs to {state.detail}")
    return f'{state.name}: {owner} and is left as it is; call `{entry} "$@"` from it'


def _installed(repo: Repository, name: str) -> Path:
    """A copy of what we wrote: how a hook of an earlier version is told from one that somebody edited."""
    return repo.common_dir / "strata" / "hooks" / f"{name}.installed"


def _remember(repo: Repository, name: str) -> None:
    copy = _installed(repo, name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_file(copy, _script(name))


def _kept(repo: Repository, name: str) -> Path:
    return repo.common_dir / "strata" / "hooks" / name


def _keep(repo: Repository, name: str, data: bytes) -> None:
    kept = _kept(repo, name)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_file(kept, data, 0o755)
