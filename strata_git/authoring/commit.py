"""Committing for the user: just the given paths, hooks on, with the user's own configuration."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.process import Result
from strata_git.repo.staged import staged_changes


@dataclass(frozen=True, slots=True)
class Committed:
    """The new commit, what git and the hooks said about it, and the branch it is on (`""`: HEAD is detached)."""

    oid: str
    said: str
    branch: str


def commit_paths(repo: Repository, paths: Collection[str], message: str, *, force: bool = False) -> Committed:
    """Commit what the work tree holds at `paths` (files or directories) and nothing else that may be staged.

    `force` adds files that an ignore rule matches. Raises StrataError with git's own words when git or a hook refuses;
    what this call had staged is then unstaged again.
    """
    repo.require_worktree()
    specs = [f":(top,literal){path}" for path in sorted(paths)]
    untouched = not staged_changes(repo, paths)
    added = repo.try_user_git("add", *(["--force"] if force else []), "--", *specs)
    if added.code != 0:
        raise _refused("git add", added)
    done = repo.try_user_git("commit", "--quiet", f"--message={message}", "--", *specs)
    if done.code != 0:
        if untouched:
            _unstage(repo, specs)
        raise _refused("git commit", done)
    branch = repo.try_git("symbolic-ref", "--quiet", "--short", "HEAD").out.decode(errors="replace").strip()
    return Committed(repo.head() or "", _words(done), branch)


def commit_command(paths: Collection[str], message: str, *, directory: str = "", force: bool = False) -> str:
    """The shell line by which a person commits that; `directory` is the work tree if it is not the current one."""
    git = f"git -C {shlex.quote(directory)}" if directory else "git"
    listed = " ".join(shlex.quote(path) for path in sorted(paths))
    return f"{git} add {'-f ' if force else ''}{listed} && {git} commit -m {shlex.quote(message)}"


def _unstage(repo: Repository, specs: list[str]) -> None:
    if repo.head():
        repo.try_user_git("reset", "--quiet", "--", *specs)
    else:
        repo.try_user_git("rm", "--cached", "-r", "--quiet", "--ignore-unmatch", "--", *specs)


def _refused(what: str, result: Result) -> StrataError:
    said = _words(result)
    first = next((line for line in said.splitlines() if line.strip()), f"exit code {result.code}")
    return StrataError(f"{what} refused: {first}", hint=said if said != first else "")


def _words(result: Result) -> str:
    lines = (result.out + result.err).decode(errors="replace").splitlines()
    return "\n".join(printable(line.replace("\t", "    ")) for line in lines).strip()
