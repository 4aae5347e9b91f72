"""Receipts in a push: each is one, where it belongs, signed by a known key and of this repository (TFC-0009 10.1)."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.checks.finding import Finding, found
from strata_git.hooks.pushed import Push
from strata_git.ledger.receipt import Receipt
from strata_git.ledger.receipts import read_receipts
from strata_git.ledger.signing import Verifier
from strata_git.repo.command import Repository


def judge_receipts(
    repo: Repository, pushes: Sequence[Push], repository: str, verifier: Verifier | None
) -> list[Finding]:
    """What is wrong with pushed receipts; without a `verifier` (a receiving side that has nothing yet) signatures are
    not judged."""
    overlay = {push.remote_ref: push.local_oid for push in pushes}
    asked = {push.remote_ref for push in pushes}
    runs = sorted({ref.split("/")[3] for ref in asked})
    found_here = {one.ref: one for run in runs for one in read_receipts(repo, verifier, run=run, overlay=overlay)}
    told = ((ref, _reason(found_here.get(ref), repository, judged=verifier is not None)) for ref in sorted(asked))
    return [found("STR-P044", ref, reason) for ref, reason in told if reason]


def _reason(receipt: Receipt | None, repository: str, *, judged: bool) -> str:
    if receipt is None:
        return "its name is not that of a receipt"
    if receipt.record is None:
        return receipt.flaw
    if receipt.record.repo != repository:
        return "it belongs to another repository"
    if judged and not receipt.signed:
        return "its signature does not count here" if receipt.signatures else "it is not signed"
    return ""
