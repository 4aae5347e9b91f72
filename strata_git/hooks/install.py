"""Putting our hooks into a repository beside everybody else's, and taking them out again, byte for byte.

Two ways: named in configuration, for git >= 2.54, or as files in the hooks directory, for every git. `core.hooksPath`
is never set, and no foreign script is edited.
"""

from __future__ import annotations

import os
from typing import Literal

from strata_git.doctor.hooks import stores_lfs
from strata_git.errors import StrataError
from strata_git.hooks.configured import configure, unconfigure
from strata_git.hooks.locks import note_locks
from strata_git.hooks.outcome import Outcome
from strata_git.hooks.shims import put_shims, take_shims
from strata_git.repo.command import Repository
from strata_git.repo.hook_files import (
    CLIENT_HOOKS,
    LFS,
    SERVER_HOOKS,
    US,
    HookSettings,
    active_hook,
    called_by_framework,
    git_version,
    gits_on_path,
    hook_names,
    hook_settings,
    read_hook,
)
from strata_git.repo.hook_state import kept_beside

Mode = Literal["auto", "config", "shim"]
NAMES = CLIENT_HOOKS


def install(repo: Repository, mode: Mode = "auto") -> list[Outcome]:
    """Install every hook of ours; one outcome for each. Doing it twice changes nothing.

    `auto` names them in configuration where git is new enough, and writes files otherwise; a repository that was
    installed the other way is moved. Raises StrataError where it cannot be done that way.
    """
    settings = hook_settings(repo)
    if choose_mode(repo, settings, mode) == "config":
        told = _by_configuration(repo, settings)
    else:
        told = put_shims(repo, settings, hook_names(repo))
        if mode == "shim":
            told += [outcome for outcome in unconfigure(repo, settings, NAMES).values() if outcome.left]
    note_locks(repo)
    return told


def _by_configuration(repo: Repository, settings: HookSettings) -> list[Outcome]:
    files = ("pre-push",) if _stands_before_lfs(repo, settings) else ()
    moved = take_shims(repo, settings, [name for name in hook_names(repo) if name not in files])
    taken = unconfigure(repo, settings, files)
    told = [outcome for outcome in (*moved.values(), *taken.values()) if outcome.left]
    settings = hook_settings(repo)
    told += configure(repo, settings, [name for name in hook_names(repo) if name not in files])
    return [*told, *put_shims(repo, settings, files)] if files else told


def _stands_before_lfs(repo: Repository, settings: HookSettings) -> bool:
    """Whether our pre-push has to be the file, in the place of git-lfs's, though the others are only configured.

    git runs what is in the hooks directory also when a configured hook has refused: git-lfs would upload.
    """
    if settings.places.elsewhere:
        return False
    file = active_hook(settings, "pre-push")
    if file is not None and (file.link or file.whose not in (LFS, US)):
        return False
    chained = file is not None and os.path.lexists(kept_beside(file.path, "pre-push"))
    return not chained and ((file is not None and file.whose == LFS) or stores_lfs(repo))


def uninstall(repo: Repository) -> list[Outcome]:
    """Take our hooks out, whichever way they came, and put back what was there before."""
    settings = hook_settings(repo)
    names = SERVER_HOOKS if repo.worktree is None else CLIENT_HOOKS
    out_of = [unconfigure(repo, settings, names), take_shims(repo, settings, names)]
    told = []
    for name in names:
        outcomes = [done[name] for done in out_of if name in done]
        told += outcomes or [_not_ours(repo, settings, name)]
    return told


def choose_mode(repo: Repository, settings: HookSettings, mode: Mode) -> Literal["config", "shim"]:
    """How to install. Raises StrataError where configuration is asked for and git would not read it."""
    if mode == "shim":
        return "shim"
    git = git_version(repo)
    if repo.worktree is None:
        if mode == "config":
            raise StrataError("A bare repository has its hooks in its hooks directory.", hint="git strata install")
        return "shim"
    if git.reads_configured_hooks:
        return "shim" if mode == "auto" and _shims_serve_older(repo, settings) else "config"
    if mode == "config":
        raise StrataError(
            f"git {git.told} does not run hooks that configuration names; git 2.54 is the first that does.",
            hint="git strata install --mode shim   works with every git",
        )
    return "shim"


def _shims_serve_older(repo: Repository, settings: HookSettings) -> bool:
    """Whether our files are in place for another git on PATH, which would run nothing else.

    pre-push says nothing: it may be a file where the others are configured.
    """
    own, names = settings.places.own, [name for name in NAMES if name != "pre-push"]
    files = [file for name in names if (file := read_hook(own / name, name)) is not None and file.whose == US]
    if settings.places.elsewhere or not files:
        return False
    return any(not git.reads_configured_hooks for git in gits_on_path(repo, repo.environ.get("PATH", "")))


def _not_ours(repo: Repository, settings: HookSettings, name: str) -> Outcome:
    file = active_hook(settings, name)
    if file is not None and (file.calls_us(name) or called_by_framework(repo, file.whose, name)):
        return Outcome(name, f"not ours, but {file.whose} calls git-strata: that line is yours to take out")
    return Outcome(name, "not ours")
