"""Approvals as commands show them."""

from __future__ import annotations

from datetime import UTC, datetime

from strata_git.ledger.approval import Approval


def plain(approval: Approval) -> dict[str, object]:
    """An approval as JSON has it."""
    record = approval.record
    return {
        "ref": approval.ref,
        "oid": approval.oid,
        "model": record.model if record else None,
        "version": record.version if record else None,
        "from": record.origin if record else None,
        "to": record.target if record else None,
        "digest": record.digest if record else None,
        "date": datetime.fromtimestamp(approval.when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if approval.when else None,
        "expires": record.expires if record else None,
        "signer": approval.signer,
        "signed": approval.signed,
        "reason": approval.reason,
    }
