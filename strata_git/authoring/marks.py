"""What `verify` asks of the ledger beyond its events: the high-water mark of this clone, statements of freshness."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from strata_git.authoring.freshness import freshness_complaints
from strata_git.checks.finding import Finding, found
from strata_git.errors import StrataError
from strata_git.ledger.events import Ledger
from strata_git.ledger.seen import PLACE, record_seen
from strata_git.repo.command import Repository


def judge_marks(repo: Repository, ledger: Ledger, repository: str, *, now: datetime | None = None) -> list[Finding]:
    """Findings on both; what was found sound is remembered as seen, where this clone can be written to."""
    findings = []
    if ledger.seen.damage:
        message = f"cannot be read: {ledger.seen.damage}"
        findings.append(found("STR-P025", f".git/strata/{PLACE}", message))
    told = freshness_complaints(repo, ledger, repository=repository, now=now)
    findings += [complaint.finding() for complaint in told]
    with suppress(StrataError, OSError):
        record_seen(repo, ledger.state, policy=ledger.trust.policy.version if ledger.trust.policy else 0)
    return findings
