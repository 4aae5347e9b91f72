"""`git strata history`: what happened to a model, event by event."""

from __future__ import annotations

from collections.abc import Sequence

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.cli.stages import complaint_json, moment, read, tell_complaints, tell_foreign
from strata_git.cli.trusting import tell_trust
from strata_git.ledger.approval import Approval
from strata_git.ledger.event import Event


@click.command()
@click.argument("model")
@format_option
@click.pass_obj
def command(session: Session, model: str, style: str) -> int:
    """Show the events of MODEL in the order in which each names the one before."""
    ledger = read(session, model)
    states = list(ledger.state.models.values())
    foreign = [tag for tags in ledger.state.foreign.values() for tag in tags]
    events = [event for state in states for event in state.events]
    approvers = {
        event.oid: [ledger.approvals.get(oid, oid) for oid in event.record.approvals]
        for event in events if event.record
    }  # fmt: skip
    if style == "json":
        told = [complaint_json(complaint) for complaint in ledger.state.complaints]
        rows = [{**_plain(event), "approvals": [_who(a) for a in approvers.get(event.oid, ())]} for event in events]
        answer = {"model": model, "events": rows, "complaints": told, "foreign": foreign}
        out_json({"schema": "strata/history/v1", **answer})
    elif events:
        head = ("TAG", "VERSION", "FROM → TO", "DATE", "SIGNER", "APPROVED BY", "COMMIT", "REASON")
        out(table([_row(event, approvers.get(event.oid, ())) for event in events], head))
    else:
        note(f"{model} has no events. `git strata promote {model}` records the first.")
        tell_foreign([{"model": model, "tags": foreign}] if foreign else [])
    trust = [finding for finding in ledger.trust.findings if finding.severity != "info"]
    return max(tell_complaints(ledger.state.complaints), tell_trust(ledger.trust, trust))


def _who(approval: Approval | str) -> dict[str, object]:
    """An approval that an event names, as far as it is here."""
    if isinstance(approval, str):
        return {"oid": approval, "signer": None, "signed": False}
    return {"oid": approval.oid, "signer": approval.signer, "signed": approval.signed}


def _row(event: Event, approvals: Sequence[Approval | str]) -> tuple[str, ...]:
    record = event.record
    version = record.version if record else "?"
    steps = f"{record.origin or '-'} → {record.target}" if record else "?"
    reason = " ".join(event.reason.split())
    date = moment(event) if event.when else "?"
    approvers = ", ".join(each if isinstance(each, str) else each.signer for each in approvals) or "-"
    return event.tag, version, steps, date, event.signer or "nobody", approvers, event.target[:12], reason


def _plain(event: Event) -> dict[str, object]:
    record = event.record
    return {
        "tag": event.tag,
        "oid": event.oid,
        "kind": event.name.kind,
        "version": record.version if record else None,
        "from": record.origin if record else None,
        "to": record.target if record else None,
        "date": moment(event) if event.when else None,
        "signer": event.signer,
        "signed": event.signed,
        "commit": event.target,
        "reason": event.reason,
    }
