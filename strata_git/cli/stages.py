"""`git strata stages`: which version of which model is where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import Reference, parse_reference
from strata_git.errors import UsageError

if TYPE_CHECKING:  # what was answered before is answered again without any of these
    from strata_git.ledger.event import Event, LedgerComplaint
    from strata_git.ledger.events import Ledger
    from strata_git.ledger.moves import Placement
    from strata_git.ledger.state import LedgerState


@click.command()
@click.argument("model", required=False)
@click.option("--at", "revision", metavar="REV", help="As somebody knew who stood at a commit.")
@click.option("--at-time", "moment", metavar="T", help="As of a moment (ISO 8601, UTC; a date means its end).")
@click.option("--require-trust", is_flag=True, help="Fail unless a pinned trust policy protects this repository.")
@format_option
@click.pass_obj
def command(
    session: Session, model: str | None, revision: str | None, moment: str | None, require_trust: bool, style: str
) -> int:
    """Show the stage of every version of every model (or of MODEL).

    Stages are read from signed tags. What is wrong with them is told on standard error and gives exit code 2. With --at
    or --at-time the line of events is cut there; the times in tags are only what whoever made them claims.
    """
    if revision and moment:
        raise UsageError("--at and --at-time exclude each other.")
    answer = _answer(session, model, revision, moment, require_trust)
    if style == "json":
        hidden = ("told", "protection", "code")
        out_json({"schema": "strata/stages/v1", **{key: value for key, value in answer.items() if key not in hidden}})
    else:
        _show(answer, past=bool(revision or moment))
    if moment:
        note(f"As of {moment}, by the dates that the tags claim.")
    for line in (*answer["told"], *answer["protection"]):
        note(line)
    return int(answer["code"])


def _answer(
    session: Session, model: str | None, revision: str | None, moment: str | None, require_trust: bool
) -> Mapping[str, Any]:
    """What there is to say: taken from memory where nothing has changed, and kept there where nothing is wrong."""
    from strata_git.ledger.remembered import answer_key, recall, remember

    name = model_reference(model).name if model else ""
    question = [name, revision or "", moment or "", str(require_trust)]
    repo = session.repository()
    key = answer_key(repo, ["stages", *question])
    if (known := recall(repo, key)) is not None:
        return known
    answer = _fresh(session, model, revision, moment, require_trust)
    if not answer["complaints"]:
        remember(repo, key, answer)
    return answer


def _fresh(
    session: Session, model: str | None, revision: str | None, moment: str | None, require_trust: bool
) -> dict[str, Any]:
    from strata_git.cli.trusting import told_of_trust, trust_findings, trust_json
    from strata_git.ledger.event import errors

    ledger = read(session, model)
    complaints = ledger.state.complaints
    trust = trust_findings(ledger.trust, require_trust)
    states = _asked(session, ledger.state, revision, moment).models.values()
    pending = [] if revision or moment else _pending(session, ledger)
    wrong = bool(errors(complaints)) or any(finding.severity == "error" for finding in trust)
    return {
        "models": [{"model": s.model, "versions": [_plain(p) for p in s.versions.values()]} for s in states],
        "complaints": [complaint_json(complaint) for complaint in complaints],
        "approvals": pending,
        "trust": trust_json(ledger.trust, trust),
        "at": revision,
        "at_time": moment,
        "told": [_sentence(complaint) for complaint in complaints],
        "protection": told_of_trust(ledger.trust, trust),
        "code": 2 if wrong else 0,
    }


def _show(answer: Mapping[str, Any], *, past: bool) -> None:
    rows = [
        (model["model"], row["version"], row["stage"], row["since"], row["tag"], row["signer"])
        for model in answer["models"] for row in model["versions"]
    ]  # fmt: skip
    if rows:
        out(table(rows, ("MODEL", "VERSION", "STAGE", "SINCE", "TAG", "SIGNER")))
    else:
        first = "No version is registered. `git strata promote MODEL` registers and promotes one."
        note("No version was registered then." if past else first)
    for each in answer["approvals"]:
        note(f"{each['model']}@{each['version']}: approved for {each['to']} by {each['signer']}")


def _asked(session: Session, state: LedgerState, revision: str | None, moment: str | None) -> LedgerState:
    """The state, or what it was then."""
    from strata_git.ledger.past import known_to, until

    if moment:
        return until(state, _unix_time(moment))
    if not revision:
        return state
    from strata_git.repo.history import list_commits

    repo = session.repository()
    commit = repo.resolve(revision)
    if commit is None:
        raise UsageError(f"'{revision}' names no commit.")
    return known_to(state, frozenset(list_commits(repo, commit)))


def _pending(session: Session, ledger: Ledger) -> list[dict[str, object]]:
    """Approvals that wait for their move."""
    if not ledger.approvals:
        return []
    from strata_git.authoring.approve import standings_in
    from strata_git.cli.approvals import plain

    listed = standings_in(ledger, session.settings().repository, datetime.now(UTC))
    return [plain(standing.approval) for standing in listed if not standing.reason]


def _unix_time(text: str) -> int:
    """A moment as an argument names it; without an offset it is UTC, a date alone its last second."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is no moment; write 2026-11-21 or 2026-11-21T17:00:00Z.") from None
    if len(text) <= len("2026-11-21"):
        moment += timedelta(days=1, seconds=-1)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def read(session: Session, model: str | None) -> Ledger:
    """The ledger, or what it holds of one model."""
    from strata_git.ledger.events import read_ledger

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
    from strata_git.ledger.event import errors

    listed = list(complaints)
    for complaint in listed:
        note(_sentence(complaint))
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


def _sentence(complaint: LedgerComplaint) -> str:
    place = f"{complaint.tag}: " if complaint.tag else ""
    return f"{complaint.severity} {complaint.rule} {place}{complaint.message}"


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
