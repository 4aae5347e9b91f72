"""Finding the repository around a directory, with a sentence for each way in which that fails."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from strata_git.errors import StrataError, printable
from strata_git.repo.environment import acting_environment, reading_environment
from strata_git.repo.process import run


class Found(TypedDict):
    """The places of a repository, as `Repository` takes them."""

    worktree: Path | None
    git_dir: Path
    common_dir: Path
    object_format: str
    safe: tuple[str, ...]


def discover(start: Path, environ: Mapping[str, str], *, in_hook: bool) -> Found:
    """Ask git where the repository around `start` is; StrataError when there is none we may read."""
    env = reading_environment(environ, in_hook=in_hook)
    question = [
        "rev-parse",
        "--is-inside-work-tree",
        "--absolute-git-dir",
        "--git-common-dir",
        "--show-object-format",
        "--show-toplevel",
    ]
    safe: tuple[str, ...] = ()
    result = run(["git", *question], directory=start, env=env)
    if result.code != 0 and b"dubious ownership" in result.err:
        # git honours safe.directory from the user's own files only, and those we do not read: pass them on
        listed = run(
            ["git", "config", "--get-all", "safe.directory"],
            directory=Path("/"),
            env=acting_environment(environ, in_hook=False),
        )
        safe = tuple(os.fsdecode(listed.out).split("\n")[:-1])
        forwarded = [part for value in safe for part in ("-c", f"safe.directory={value}")]
        result = run(["git", *forwarded, *question], directory=start, env=env)
    lines = os.fsdecode(result.out).split("\n")
    if len(lines) < 5:
        raise _refusal(start, result.err)
    if len(lines) != (6 if result.code == 0 else 5):
        raise StrataError(f"The place of the repository has a line break in its name: {printable(str(start))}.")
    inside, git_dir, common, object_format = lines[:4]
    worktree = Path(lines[4]) if inside == "true" and result.code == 0 and lines[4] else None
    return Found(
        worktree=worktree,
        git_dir=Path(git_dir),
        common_dir=(start / common).resolve(),
        object_format=object_format,
        safe=safe,
    )


def _refusal(start: Path, complaint: bytes) -> StrataError:
    place = printable(str(start))
    if b"dubious ownership" in complaint:
        return StrataError(
            f"git does not trust {place}: it belongs to another user.",
            hint=f"If you trust it: git config --global --add safe.directory {place}",
        )
    if b"not a git repository" in complaint:
        return StrataError(f"{place} is not in a git repository.", hint="Make one here: git strata init .")
    reason = complaint.decode(errors="replace").strip().splitlines()
    return StrataError(
        f"git cannot read the repository at {place}: {printable(reason[0]) if reason else 'no reason given'}"
    )
