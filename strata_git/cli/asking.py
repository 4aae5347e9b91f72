"""What the commands that ask the index share: which revision, and the index of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.output import note
from strata_git.cli.session import Session

REFETCH = "git fetch --refetch --no-filter"
"""What brings the objects that a partial clone left out."""

if TYPE_CHECKING:
    from collections.abc import Iterable

    from strata_git.index.records import ArtifactRecord, Index
    from strata_git.repo.command import Repository

at_option = click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)


def asked(session: Session, revision: str) -> tuple[Repository, Index]:
    """The repository, and its index at `revision`."""
    from strata_git.index.build import build

    repo = session.repository()
    session.indexes.append(build(repo, revision))
    return repo, session.indexes[-1]


def tell_unread(records: Iterable[ArtifactRecord]) -> int:
    """Say aside that some artifacts could not be read, and what brings them; how many there are."""
    from strata_git.index.opened import unread

    lost = unread(records)
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        named = ", ".join(one.reference for one in lost[:3])
        note(f"Not read, because their objects are not in this clone: {named}{more}.\n  {REFETCH}")
    return len(lost)
