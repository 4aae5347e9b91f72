"""What `verify` asks of the ledger beyond its events: the high-water mark of this clone, statements of freshness."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from strata_git.authoring.entries import log_findings
from strata_git.checks.finding import Finding, found
from strata_git.errors import StrataError
from strata_git.ledger.assurances import as_demanded, freshness_complaints
from strata_git.ledger.events import Ledger
from strata_git.ledger.seen import PLACE, record_seen
from strata_git.repo.command import Repository


def judge_marks(
    repo: Repository, ledger: Ledger, repository: str, *, now: datetime | None = None, required: bool = False
) -> list[Finding]:
    """Findings on both; what was found sound is remembered as seen, where this clone can be written to.

    With `required` it is an error where a policy asks for freshness and has none.
    """
    findings = []
    if ledger.seen.damage:
        message = f"cannot be read: {ledger.seen.damage}"
        findings.append(found("STR-P025", f".git/strata/{PLACE}", message))
    told = freshness_complaints(repo, ledger.state, ledger.trust, repository=repository, now=now)
    asked = ledger.trust.policy is not None and ledger.trust.policy.max_age_days is not None
    findings += [as_demanded(complaint.finding("refs/strata/freshness"), required and asked) for complaint in told]
    findings += log_findings(repo, ledger)
    with suppress(StrataError, OSError):
        record_seen(repo, ledger.state, policy=ledger.trust.policy.version if ledger.trust.policy else 0)
    return findings
