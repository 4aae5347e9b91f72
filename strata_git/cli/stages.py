"""`git strata stages`: which version of which model is where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import Reference, parse_reference
from strata_git.errors import UsageError
from strata_git.ledger.event import Event, LedgerComplaint, errors
from strata_git.ledger.events import Ledger, read_ledger
from strata_git.ledger.moves import Placement
from strata_git.ledger.state import ModelState


@click.command()
@click.argument("model", required=False)
@format_option
@click.pass_obj
def command(session: Session, model: str | None, style: str) -> int:
    """Show the stage of every version of every model (or of MODEL).

    Stages are read from signed tags. What is wrong with them is told on standard error and gives exit code 2.
    """
    ledger = read(session, model)
    states = list(ledger.state.models.values())
    if style == "json":
        models = [{"model": s.model, "versions": [_plain(p) for p in s.versions.values()]} for s in states]
        told = [complaint_json(complaint) for complaint in ledger.state.complaints]
        out_json({"schema": "strata/stages/v1", "models": models, "complaints": told})
    elif rows := [_row(state, placed) for state in states for placed in state.versions.values()]:
        out(table(rows, ("MODEL", "VERSION", "STAGE", "SINCE", "TAG", "SIGNER")))
    else:
        note("No version is registered. `git strata promote MODEL` registers and promotes one.")
    return tell_complaints(ledger.state.complaints)


def read(session: Session, model: str | None) -> Ledger:
    """The ledger, or what it holds of one model."""
    name = model_reference(model).name if model else None
    return read_ledger(session.repository(), repository=session.settings().repository, model=name)


def model_reference(text: str, *, versioned: bool = False) -> Reference:
    """The model that an argument names; UsageError when it names none, or no version where one is needed."""
    try:
        meant = parse_reference(text, kind="model")
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    if meant.stage is not None or (versioned and meant.version is None):
        raise UsageError(f"'{text}' names no version; write MODEL@vN.")
    return meant


def tell_complaints(complaints: Iterable[LedgerComplaint]) -> int:
    """Print them; 2 when one is an error."""
    listed = list(complaints)
    for complaint in listed:
        place = f"{complaint.tag}: " if complaint.tag else ""
        note(f"{complaint.severity} {complaint.rule} {place}{complaint.message}")
    return 2 if errors(listed) else 0


def complaint_json(complaint: LedgerComplaint) -> dict[str, object]:
    """A complaint as JSON has it."""
    return {
        "rule": complaint.rule,
        "severity": complaint.severity,
        "tag": complaint.tag,
        "message": complaint.message,
    }


def moment(event: Event) -> str:
    """An event's date, ISO 8601 in UTC."""
    return datetime.fromtimestamp(event.when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(state: ModelState, placed: Placement) -> tuple[str, ...]:
    event = placed.since
    return state.model, placed.version, placed.stage, moment(event), event.tag, event.signer


def _plain(placed: Placement) -> dict[str, object]:
    event = placed.since
    record = event.record
    return {
        "version": placed.version,
        "stage": placed.stage,
        "since": moment(event),
        "tag": event.tag,
        "oid": event.oid,
        "signer": event.signer,
        "commit": event.target,
        "digest": record.digest if record else None,
    }
