"""What is in force: for each hook everything that git will call, in order, and whether we and git-lfs are among it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strata_git.repo.command import Repository
from strata_git.repo.hook_files import (
    CALLS_LFS,
    KEPT,
    LEGACY,
    LFS,
    SOMEBODY,
    US,
    ConfiguredHook,
    HookFile,
    HookSettings,
    active_hook,
    called_by_framework,
    read_hook,
)
from strata_git.repo.hook_gates import command, configured, gate_path, neutral, shim

CHAINING = ("pre-commit", "prek")
"""Frameworks that keep the hook that was there before theirs, and call it first."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One thing that stands in line for a hook.

    `source` is configuration or file, `place` the key with its scope or the path. `state` is in force, outdated,
    changed (ours, edited), not executable, ignored (configuration, by an older git), broken (ours, without its
    gate). `us` and `lfs`: whether our program, and git-lfs, are called from it.
    """

    whose: str
    source: str
    place: str
    state: str = "in force"
    us: bool = False
    lfs: bool = False

    @property
    def runs(self) -> bool:
        """Whether git gets to it, directly or through the one in whose line it stands."""
        return self.state in ("in force", "outdated", "changed")


def callers(repo: Repository, settings: HookSettings, name: str, *, configured_run: bool) -> list[Caller]:
    """Everything that stands in line for a hook, in the order in which it runs.

    `configured_run`: whether the git that is used runs hooks named in configuration.
    """
    told = [_configured(repo, hook, name, configured_run) for hook in settings.for_event(name)]
    file = active_hook(settings, name)
    return told if file is None else [*told, *_in_directory(repo, file)]


def own_state(repo: Repository, file: HookFile) -> str:
    """The state of a hook that is ours: in force, outdated (by another version of ours), changed, not executable."""
    if not file.executable:
        return "not executable"
    chained = os.path.lexists(kept_beside(file.path, file.name))
    if neutral(file.data) == neutral(shim(file.name, chained=chained)):
        return "in force"
    known = {neutral(shim(file.name, chained=not chained))}
    with contextlib.suppress(OSError):
        known.add(neutral(installed_copy(repo, file.name).read_bytes()))
    return "outdated" if neutral(file.data) in known else "changed"


def installed_copy(repo: Repository, name: str) -> Path:
    """A copy of what we wrote: how a hook of an earlier version is told from one that somebody edited."""
    return repo.common_dir / "strata" / "hooks" / f"{name}.installed"


def kept_apart(repo: Repository, name: str) -> Path:
    """Where git-lfs's own hook is kept, which ours stands in for: ours calls git-lfs itself."""
    return repo.common_dir / "strata" / "hooks" / name


def kept_beside(place: Path, name: str) -> Path:
    """Where somebody else's hook is kept, which ours calls: beside ours, so that what is relative to it holds."""
    return place.with_name(f"{name}{KEPT}")


def _configured(repo: Repository, hook: ConfiguredHook, name: str, runs: bool) -> Caller:
    lfs = bool(CALLS_LFS.search(os.fsencode(hook.command)))
    whose, state = LFS if lfs else SOMEBODY, "in force" if runs else "ignored"
    us = f"git-strata-hook {name}" in hook.command
    if hook.ours:
        whose, us, lfs = US, True, name == "pre-push"
        state = _gate_state(repo, hook, name) if runs else state
    return Caller(whose, "configuration", f"{hook.scope}: hook.{hook.name}.command", state, us, lfs)


def _gate_state(repo: Repository, hook: ConfiguredHook, name: str) -> str:
    path = gate_path(repo.common_dir, name)
    try:
        data = path.read_bytes()
    except OSError:
        return "broken"
    if not os.access(path, os.X_OK):
        return "broken"
    if hook.command != command(name):
        return "changed"
    return "in force" if neutral(data) == neutral(configured(name)) else "outdated"


def _in_directory(repo: Repository, file: HookFile) -> Iterator[Caller]:
    name = file.name
    runs = "in force" if file.executable else "not executable"
    if file.whose == US:
        ours = Caller(US, "file", str(file.path), own_state(repo, file), us=True, lfs=name == "pre-push")
        kept = read_hook(kept_beside(file.path, name), name)
        line = [ours] if kept is None else [_theirs(kept, ours), ours]
        yield from reversed(line) if name == "pre-push" else line
        return
    if file.whose in CHAINING and (before := read_hook(file.path.with_name(name + LEGACY), name)) is not None:
        state = runs if before.executable else "not executable"
        lfs = before.calls_lfs or (before.whose == US and name == "pre-push")
        yield Caller(before.whose, "file", str(before.path), state, before.calls_us(name), lfs)
    us = file.calls_us(name) or called_by_framework(repo, file.whose, name)
    yield Caller(file.whose, "file", str(file.path), runs, us, file.calls_lfs or _husky_calls_lfs(repo, file))


def _theirs(kept: HookFile, ours: Caller) -> Caller:
    state = "in force" if kept.executable and ours.runs else "not executable"
    return Caller(kept.whose, "file", str(kept.path), state, lfs=kept.calls_lfs)


def _husky_calls_lfs(repo: Repository, file: HookFile) -> bool:
    if file.whose != "husky" or repo.worktree is None:
        return False
    script = read_hook(repo.worktree / ".husky" / file.name, file.name)
    return script is not None and script.calls_lfs
