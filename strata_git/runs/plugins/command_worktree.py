"""Which files of the work tree changed while a program worked: outputs belong into artifact_dir, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from strata_git.errors import StrataError
from strata_git.repo.command import Repository

_NOT_OURS = ("runs/", ".strata/")
"""Other runs come and go there at the same time."""

State = Mapping[str, tuple[int, ...]]


def worktree_state(workspace: Path | None, environ: Mapping[str, str]) -> State | None:
    """Files that git sees as changed or new, with their stamps; None where there is no work tree to ask."""
    if workspace is None:
        return None
    from strata_git.repo.worktree import unsettled_paths

    try:
        repo = Repository.discover(workspace, environ)
        paths = unsettled_paths(repo, None)
    except StrataError:
        return None
    return {path: _stamp(workspace / path) for path in paths if not path.startswith(_NOT_OURS)}


def changed_files(before: State | None, after: State | None) -> list[str]:
    """Files that are not as they were; ignored ones do not count."""
    if before is None or after is None:
        return []
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        seen = os.lstat(path)
    except OSError:
        return ()
    return (seen.st_mode, seen.st_ino, seen.st_size, seen.st_mtime_ns)
