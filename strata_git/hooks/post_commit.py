"""post-commit: the index catches up with what `git commit PATH` sealed."""

from __future__ import annotations

from strata_git.authoring.seal import settle
from strata_git.repo.command import Repository


def run(repo: Repository, arguments: list[str]) -> int:  # noqa: ARG001 - every hook has this shape
    """Repair the index where needed; never fails a commit that is already made."""
    settle(repo)
    return 0
