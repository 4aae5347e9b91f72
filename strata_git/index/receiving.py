"""Who vouches for an index that somebody published: whoever counts here now.

Under a trust policy those are the people it names at this moment: an index is made anew with each release, so that a
key which was retired or revoked since has nothing more to say. Without one it is the user's own keyring.
"""

from __future__ import annotations

from datetime import UTC, datetime

from strata_git.ledger.assurances import present_keys
from strata_git.ledger.signing import Verifier
from strata_git.ledger.trust import read_trust
from strata_git.repo.command import Repository


def receiving_keys(repo: Repository, repository: str, *, now: datetime | None = None) -> Verifier:
    """Who verifies published indexes in `repo`, whose UUID is `repository`."""
    return present_keys(repo, read_trust(repo, repository), now=now or datetime.now(UTC))
