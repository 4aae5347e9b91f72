"""Everything that git would call here, hook by hook, in every work tree: what `git strata hooks status` tells."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from strata_git.doctor.hooks import stores_lfs
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.hook_files import Git, HookPlaces, git_version, gits_on_path, hook_names, hook_settings
from strata_git.repo.hook_state import Caller, callers

PROGRAMS = ("git-strata-hook", "git-lfs", "pre-commit", "prek", "lefthook")


@dataclass(frozen=True, slots=True)
class HookLine:
    """One hook with everything in line for it, in the order in which it runs."""

    name: str
    line: tuple[Caller, ...]

    @property
    def reached(self) -> bool:
        """Whether git gets to our program."""
        return any(one.us and one.runs for one in self.line)

    @property
    def twice(self) -> bool:
        """Whether our program is called more than once."""
        return sum(one.us and one.runs for one in self.line) > 1

    @property
    def uploads(self) -> bool:
        """Whether git gets to git-lfs."""
        return any(one.lfs and one.runs for one in self.line)


@dataclass(frozen=True, slots=True)
class WorktreeHooks:
    """The hooks as one work tree sees them. `path` is the git directory in a bare repository."""

    path: Path
    places: HookPlaces
    hooks: tuple[HookLine, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """The hooks of a repository. `programs`: name -> where PATH has it, `""` where it does not.

    `stores_lfs`: attributes send content to Git LFS, so pre-push must get to it.
    """

    worktrees: tuple[WorktreeHooks, ...]
    gits: tuple[Git, ...]
    programs: dict[str, str]
    stores_lfs: bool

    @property
    def sound(self) -> bool:
        """Whether every hook of ours is reached, in every work tree, and a push gets to git-lfs where it must."""
        return all(
            hook.reached and (hook.name != "pre-push" or not self.stores_lfs or hook.uploads)
            for worktree in self.worktrees
            for hook in worktree.hooks
        )


def survey(repo: Repository) -> Survey:
    """Look at the hooks from every work tree, the one that `repo` stands in first."""
    path = repo.environ.get("PATH", "")
    gits = tuple(gits_on_path(repo, path)) or (git_version(repo),)
    reads = git_version(repo).reads_configured_hooks
    seen = [_seen_from(repo, reads), *(_seen_from(other, reads) for other in _others(repo))]
    programs = {name: shutil.which(name, path=path) or "" for name in PROGRAMS}
    return Survey(tuple(seen), gits, programs, repo.worktree is not None and stores_lfs(repo))


def _seen_from(repo: Repository, reads: bool) -> WorktreeHooks:
    settings = hook_settings(repo)
    hooks = [HookLine(n, tuple(callers(repo, settings, n, configured_run=reads))) for n in hook_names(repo)]
    return WorktreeHooks(repo.directory, settings.places, tuple(hooks))


def _others(repo: Repository) -> list[Repository]:
    """The other work trees that are there."""
    found = []
    for field in os.fsdecode(repo.git("worktree", "list", "--porcelain", "-z")).split("\0"):
        if not field.startswith("worktree "):
            continue
        path = Path(field.removeprefix("worktree "))
        if repo.worktree is None or not path.is_dir() or path.resolve() == repo.worktree.resolve():
            continue
        try:
            other = Repository.discover(path, repo.environ)
        except StrataError:
            continue
        if other.worktree is not None:
            found.append(other)
    return found
