"""The past by the clock: which commit a branch stood at."""

from __future__ import annotations

from datetime import UTC, datetime

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository


def commit_at(repo: Repository, revision: str, moment: int) -> str:
    """The last commit on the first-parent line of `revision` that was committed at `moment` (Unix time) or before.

    Commits say themselves when they were made. Raises StrataError where there is no such revision, or none that old.
    """
    tip = repo.resolve(revision)
    if tip is None:
        from strata_git.doctor.judge import require_commit

        tip = require_commit(repo, revision)
    found = repo.git("rev-list", "--first-parent", "-1", f"--before={max(moment, 0)}", tip).decode().strip()
    if not found:
        when = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise StrataError(
            f"{printable(revision)} has no commit of {when} or before.",
            hint="git log --first-parent --format='%h %cI %s'    shows when its commits were made",
        )
    return found
