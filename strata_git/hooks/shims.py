"""Our hooks in the hooks directory, for every git: in the place of git-lfs's, before or after somebody else's.

What stood in a hook's place is renamed, never rewritten: its bytes, its mode and, for a link, the link stay.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.hooks.advice import advice
from strata_git.hooks.outcome import Outcome, difference
from strata_git.repo.command import Repository
from strata_git.repo.files import unwritable, write_file
from strata_git.repo.hook_files import (
    LEGACY,
    LFS,
    SOMEBODY,
    US,
    HookFile,
    HookSettings,
    active_hook,
    called_by_framework,
    read_hook,
)
from strata_git.repo.hook_gates import neutral, shim
from strata_git.repo.hook_state import installed_copy, kept_apart, kept_beside, own_state

_LOOKS_AT_ITS_NAME = re.compile(
    rb"""basename[^\n]*\$\{?0|\$\{0#|\$\{?0\}?["']?\.d|\bargv\[0\]|\$PROGRAM_NAME|\$0\)|BASH_SOURCE"""
)


def put_shims(repo: Repository, settings: HookSettings, names: Sequence[str]) -> list[Outcome]:
    """Put hooks of ours into the hooks directory. Doing it twice changes nothing.

    Raises StrataError where core.hooksPath sends all repositories of this user or machine to one directory.
    """
    places = settings.places
    if places.elsewhere and places.scope in ("global", "system"):
        raise StrataError(
            f"core.hooksPath of your {places.scope} git configuration sends every repository to one hooks directory.",
            hint=f"git config --{places.scope} --unset core.hooksPath   or call `git-strata-hook NAME` from the hooks "
            "there; git 2.54 and newer need neither: `git strata install` works beside it",
        )
    if places.elsewhere:
        return [_elsewhere(repo, settings, name) for name in names]
    return [_put(repo, places.own, name) for name in names]


def take_shims(repo: Repository, settings: HookSettings, names: Sequence[str]) -> dict[str, Outcome]:
    """Take hooks of ours out of the hooks directory and put back what was there before them: name -> what was done."""
    done = {}
    directories = dict.fromkeys((settings.places.own, settings.places.active))
    for name in names:
        places = [path for d in directories for path in (d / name, d / (name + LEGACY))]
        for path in dict.fromkeys(places):
            file = read_hook(path, name)
            if file is not None and file.whose == US and not file.link:
                done[name] = _take(repo, file)
    _tidy(repo, settings.places.own)
    return done


def _elsewhere(repo: Repository, settings: HookSettings, name: str) -> Outcome:
    file = active_hook(settings, name)
    if file is not None and file.whose == US and not file.link:
        return _put(repo, settings.places.active, name)  # an earlier version of ours followed core.hooksPath
    if file is not None and (file.calls_us(name) or called_by_framework(repo, file.whose, name)):
        return Outcome(name, f"is called by {file.whose} already")
    active = settings.places.active
    where = printable(str(active))
    scope = f"core.hooksPath ({settings.places.scope})"
    if not active.is_dir():
        return Outcome(
            name, f"cannot be installed: {scope} points to {where}, which is not there, so git runs no hook at all",
            left=True, advice=(f"git config --{settings.places.scope} --unset core.hooksPath && git strata install",),
        )  # fmt: skip
    whose = "husky" if ".husky" in active.parts else file.whose if file else SOMEBODY
    owner = f"belongs to {whose}" if whose != SOMEBODY else "is not ours to write"
    return Outcome(name, f"{scope} points to {where}, which {owner}", True, advice(whose, name))


def _put(repo: Repository, directory: Path, name: str) -> Outcome:
    path = directory / name
    file = read_hook(path, name)
    if file is not None and (refusal := _refusal(repo, file)) is not None:
        return refusal
    if file is not None and file.whose == US and not file.link:
        return _renew(repo, file)
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True)
            _made_directory(repo).parent.mkdir(parents=True, exist_ok=True)
            _made_directory(repo).touch()
        told = _make_room(repo, file) if file is not None else ""
    except OSError as error:
        raise unwritable(path, error) from None
    _write(repo, path, name)
    return Outcome(name, f"installed{told}")


def _refusal(repo: Repository, file: HookFile) -> Outcome | None:
    """Why a hook's place is not ours to take, or None."""
    name = file.name
    if file.whose not in (US, LFS, SOMEBODY) and not file.link:
        if file.calls_us(name) or called_by_framework(repo, file.whose, name):
            return Outcome(name, f"is called by {file.whose} already")
        legacy = read_hook(file.path.with_name(name + LEGACY), name)
        if legacy is not None and legacy.whose == US and file.whose in ("pre-commit", "prek"):
            return _renew_in_keeping(repo, legacy, file.whose)
        return Outcome(name, f"belongs to {file.whose}", True, advice(file.whose, name))
    if file.whose == SOMEBODY or file.link:
        if file.calls_us(name):
            return Outcome(name, "is called already by the script that is there")
        if why := _unmovable(file):
            return Outcome(name, f"{why} and is left as it is", True, advice(SOMEBODY, name))
    return None


def _unmovable(file: HookFile) -> str:
    """Why a hook cannot be called under another name; `""`: it can."""
    if not file.link and not file.path.is_file():
        return "is no file"
    if os.path.lexists(kept_beside(file.path, file.name)):
        return f"is a second script of somebody else (the first is {kept_beside(file.path, file.name).name})"
    if file.link and not file.path.exists():
        return "is a link to nothing"
    if b"\0" not in file.data and _LOOKS_AT_ITS_NAME.search(file.data):
        return "is a script that asks for the name it is called by"
    return ""


def _make_room(repo: Repository, file: HookFile) -> str:
    """Rename what stands in the hook's place; what to add to the sentence."""
    if file.whose == LFS and not file.link:
        kept = kept_apart(repo, file.name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            os.replace(file.path, kept)
        return ", git-lfs is called after it"
    os.rename(file.path, kept_beside(file.path, file.name))
    order = "after" if file.name == "pre-push" else "before"
    return f", the script that was there is called {order} it"


def _renew(repo: Repository, file: HookFile) -> Outcome:
    state = own_state(repo, file)
    if state == "changed":
        lines = difference(_before(repo, file.name), file.data)
        lines += (f"put it right, or delete it and install anew: {printable(str(file.path))}",)
        return Outcome(file.name, "our hook was edited and is left as it is", True, lines)
    chained = os.path.lexists(kept_beside(file.path, file.name))
    if state == "in force" and file.data == shim(file.name, chained=chained):
        return Outcome(file.name, "already installed")
    _write(repo, file.path, file.name)
    return Outcome(file.name, "renewed")


def _renew_in_keeping(repo: Repository, legacy: HookFile, owner: str) -> Outcome:
    """Our hook in a framework's keeping is made what it should be, unless somebody edited it."""
    renew = own_state(repo, legacy) != "changed" and legacy.data != shim(legacy.name)
    if renew:
        write_file(legacy.path, shim(legacy.name), 0o755)
        write_file(installed_copy(repo, legacy.name), shim(legacy.name))
    return Outcome(legacy.name, f"{'renewed' if renew else 'already installed'}, called by {owner}")


def _take(repo: Repository, file: HookFile) -> Outcome:
    state = own_state(repo, file)
    edited = state == "not executable" and neutral(file.data) not in _known(repo, file.name)
    if state == "changed" or edited:
        advice_ = (
            *difference(_before(repo, file.name), file.data),
            f"when nothing of it is needed: rm {shlex.quote(str(file.path))}",
        )
        return Outcome(file.name, "differs from what we installed and is left as it is", True, advice_)
    kept = [path for path in (kept_beside(file.path, file.name), kept_apart(repo, file.name)) if os.path.lexists(path)]
    try:
        if kept:
            os.replace(kept[0], file.path)
        else:
            file.path.unlink()
        installed_copy(repo, file.name).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(file.path, error) from None
    return Outcome(file.name, "removed, what was there before is back" if kept else "removed")


def _known(repo: Repository, name: str) -> set[bytes]:
    return {neutral(shim(name)), neutral(shim(name, chained=True)), neutral(_before(repo, name))}


def _before(repo: Repository, name: str) -> bytes:
    try:
        return installed_copy(repo, name).read_bytes()
    except OSError:
        return shim(name)


def _write(repo: Repository, path: Path, name: str) -> None:
    text = shim(name, chained=os.path.lexists(kept_beside(path, name)))
    write_file(path, text, 0o755)
    copy = installed_copy(repo, name)
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_file(copy, text)


def _made_directory(repo: Repository) -> Path:
    return repo.common_dir / "strata" / "hooks" / "made-directory"


def _tidy(repo: Repository, directory: Path) -> None:
    """Remove directories that we made and that hold nothing more."""
    with contextlib.suppress(OSError):
        if _made_directory(repo).exists() and not any(directory.iterdir()):
            directory.rmdir()
            _made_directory(repo).unlink()
    with contextlib.suppress(OSError):
        _made_directory(repo).parent.rmdir()
