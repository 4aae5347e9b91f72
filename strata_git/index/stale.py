"""`strata/index.stale` in the common git directory: the hooks' word that history here may have changed.

A plain file that holds the reason (`merge`, `checkout` or `rewrite`). Hooks write it, the next index built takes it
away; nothing else depends on it, and it can be deleted at any time.
"""

from __future__ import annotations

import contextlib

from strata_git.repo.command import Repository
from strata_git.repo.files import write_file

MARK = "strata/index.stale"


def mark_stale(repo: Repository, reason: str) -> None:
    """Say that history may have changed. Where that is said already, nothing is written."""
    mark = repo.common_dir / MARK
    if not mark.exists():
        mark.parent.mkdir(exist_ok=True)
        write_file(mark, f"{reason}\n".encode(), durable=False)


def staleness(repo: Repository) -> str:
    """Why what is known of history may be out of date; `""` where no hook has said so."""
    try:
        return (repo.common_dir / MARK).read_text("ascii", "replace").strip()[:40]
    except OSError:
        return ""


def clear_stale(repo: Repository) -> None:
    """History was read anew."""
    with contextlib.suppress(OSError):
        (repo.common_dir / MARK).unlink()
