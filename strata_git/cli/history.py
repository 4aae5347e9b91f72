"""`git strata history`: what happened to a model, event by event."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.cli.stages import complaint_json, moment, read, tell_complaints
from strata_git.ledger.event import Event


@click.command()
@click.argument("model")
@format_option
@click.pass_obj
def command(session: Session, model: str, style: str) -> int:
    """Show the events of MODEL in the order in which each names the one before."""
    ledger = read(session, model)
    states = list(ledger.state.models.values())
    events = [event for state in states for event in state.events]
    if style == "json":
        told = [complaint_json(complaint) for complaint in ledger.state.complaints]
        rows = [_plain(event) for event in events]
        out_json({"schema": "strata/history/v1", "model": model, "events": rows, "complaints": told})
    elif events:
        head = ("TAG", "VERSION", "FROM → TO", "DATE", "SIGNER", "COMMIT", "REASON")
        out(table([_row(event) for event in events], head))
    else:
        note(f"{model} has no events. `git strata promote {model}` records the first.")
    return tell_complaints(ledger.state.complaints)


def _row(event: Event) -> tuple[str, ...]:
    record = event.record
    version = record.version if record else "?"
    steps = f"{record.origin or '-'} → {record.target}" if record else "?"
    reason = " ".join(event.reason.split())
    date = moment(event) if event.when else "?"
    return event.tag, version, steps, date, event.signer or "nobody", event.target[:12], reason


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
