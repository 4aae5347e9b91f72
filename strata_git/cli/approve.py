"""`git strata approve`: say with your signature that somebody may move a version."""

from __future__ import annotations

from dataclasses import asdict

import click

from strata_git.authoring.approve import DAYS, Standing, approve, standings
from strata_git.authoring.promote import Refused
from strata_git.cli.approvals import plain
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.promote import key_option, reason_option, terminal
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference
from strata_git.errors import UsageError


@click.command()
@click.argument("model", required=False)
@click.argument("stage", required=False)
@click.option("--list", "listing", is_flag=True, help="Show the approvals that are here, of MODEL or of all models.")
@click.option("--days", type=int, default=DAYS, show_default=True, help="How long the approval is in force.")
@reason_option
@key_option
@format_option
@click.pass_obj
def command(
    session: Session, model: str | None, stage: str | None, listing: bool, days: int, reason: str, key: str, style: str
) -> int:
    """Approve that MODEL[@vN] moves to STAGE (default: the next one) by somebody else's hand.

    The approval is a signed tag of its own. It is good for this move alone, and for nothing once the version or what is
    in production has moved. `git strata promote` finds it and names it in the events.
    """
    repo, settings = session.repository(), session.settings()
    if listing:
        _list(standings(repo, settings, model_reference(model).name if model else None), style)
        return 0
    if model is None:
        raise UsageError("Which model? git strata approve MODEL[@vN] [STAGE]")
    meant = model_reference(model)
    try:
        made = approve(
            repo, settings, meant.name, meant.version, stage, reason=reason, key=key, days=days, terminal=terminal()
        )
    except Refused as refusal:
        if style == "text":
            raise
        out_json({"schema": "strata/approval/v1", "refused": True, "findings": [asdict(f) for f in refusal.findings]})
        return refusal.exit_code
    if style == "json":
        out_json({"schema": "strata/approval/v1", "refused": False, **plain(made)})
        return 0
    record = made.record
    assert record is not None  # noqa: S101 - approve made it
    out(f"{record.model}@{record.version}: {record.origin} → {record.target} approved until {record.expires}")
    out(f"  {made.ref}  {made.oid[:12]}  signed by {made.signer}")
    note("Publish it:\n  git strata push")
    return 0


def _list(listed: tuple[Standing, ...], style: str) -> None:
    if style == "json":
        rows = [{**plain(s.approval), "counts": not s.reason, "why_not": s.reason, "used": s.used} for s in listed]
        out_json({"schema": "strata/approvals/v1", "approvals": rows})
        return
    if not listed:
        note("There are no approvals here. `git strata approve MODEL` gives one, `git strata fetch` brings others'.")
        return
    out(table([_row(standing) for standing in listed], ("VERSION", "FROM → TO", "SIGNER", "UNTIL", "COUNTS")))


def _row(standing: Standing) -> tuple[str, ...]:
    record = standing.approval.record
    counts = f"no: {standing.reason}" if standing.reason else "yes"
    if record is None:
        return standing.approval.ref, "?", standing.approval.signer, "?", counts
    steps = f"{record.origin} → {record.target}"
    return f"{record.model}@{record.version}", steps, standing.approval.signer, record.expires, counts
