"""`git strata stages`: which version of which model is where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
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
    from strata_git.ledger.remembered import Standing
    from strata_git.ledger.state import LedgerState, ModelState
    from strata_git.ledger.trust import Trust


_NAMED = 5
"""Tags of a model that are named where there may be thousands."""


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
    from strata_git.ledger.remembered import recall, remember, standing

    name = model_reference(model).name if model else ""
    repo = session.repository()
    now = standing(repo)
    key = now.key(repo, ["stages", name, revision or "", moment or "", str(require_trust)])
    if (known := recall(repo, key)) is not None:
        return known
    if model or revision or moment:
        answer = _fresh(session, model, revision, moment, require_trust)
    else:
        answer = _by_model(session, now, require_trust)
    if not answer["complaints"]:
        remember(repo, key, answer)
    return answer


def _fresh(
    session: Session, model: str | None, revision: str | None, moment: str | None, require_trust: bool
) -> dict[str, Any]:
    """What the whole ledger says, or what it holds of one model."""
    ledger = read(session, model)
    states = _asked(session, ledger.state, revision, moment).models.values()
    pending = [] if revision or moment else _pending(session, ledger)
    placed = [{"model": state.model, "versions": _versions(state)} for state in states]
    told = {"at": revision, "at_time": moment, "approvals": pending, "foreign": _foreign(ledger.state.foreign)}
    return _judged(session, placed, ledger.state.complaints, ledger.trust, require_trust) | told


def _by_model(session: Session, now: Standing, require_trust: bool) -> dict[str, Any]:
    """The same of the whole ledger, where only models are read of which something has changed."""
    from strata_git.ledger.by_model import part_keys, recall_parts, remember_parts
    from strata_git.ledger.events import Ledger, read_ledger
    from strata_git.ledger.seen import read_seen
    from strata_git.ledger.trust import not_lowered, read_trust

    repo, repository = session.repository(), session.settings().repository
    seen = read_seen(repo)
    trust = not_lowered(read_trust(repo, repository), seen.policy)
    keys = part_keys(now, seen, trust)
    parts = recall_parts(repo, keys)
    changed = keys.keys() - parts.keys()
    ledger = read_ledger(repo, repository=repository, models=changed, trust=trust) if changed else Ledger(trust=trust)
    states, pending = ledger.state.models, _pending(session, ledger)
    for model in sorted(changed):
        approved = [each for each in pending if each["model"] == model]
        placed = _versions(states[model]) if model in states else None
        parts[model] = {"versions": placed, "approvals": approved, "foreign": ledger.state.foreign.get(model, ())}
    if changed:
        sound = {model for model in parts if model not in states or not states[model].complaints}
        remember_parts(repo, keys, {model: part for model, part in parts.items() if model in sound})
    names = sorted(parts)
    told = {
        "at": None,
        "at_time": None,
        "approvals": [each for model in names for each in parts[model]["approvals"]],
        "foreign": _foreign({model: parts[model]["foreign"] for model in names}),
    }
    listed = [{"model": m, "versions": parts[m]["versions"]} for m in names if parts[m]["versions"] is not None]
    return _judged(session, listed, ledger.state.complaints, ledger.trust, require_trust) | told


def _judged(
    session: Session, placed: Sequence[object], complaints: Sequence[LedgerComplaint], trust: Trust, require_trust: bool
) -> dict[str, Any]:
    from strata_git.cli.trusting import told_of_trust, trust_findings, trust_json
    from strata_git.ledger.assurances import freshness_findings
    from strata_git.ledger.event import errors

    late = freshness_findings(session.repository(), trust, required=require_trust)
    findings = (*trust_findings(trust, require_trust), *late)
    wrong = bool(errors(complaints)) or any(finding.severity == "error" for finding in findings)
    return {
        "models": placed,
        "complaints": [complaint_json(complaint) for complaint in complaints],
        "trust": trust_json(trust, findings),
        "told": [_sentence(complaint) for complaint in complaints],
        "protection": told_of_trust(trust, findings),
        "code": 2 if wrong else 0,
    }


def _foreign(tags: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    return [{"model": model, "tags": list(named)} for model, named in sorted(tags.items()) if named]


def tell_foreign(listed: Iterable[Mapping[str, Any]]) -> None:
    """Name tags that look like events and are none, some of each model."""
    for each in listed:
        first = ", ".join(each["tags"][:_NAMED]) + (", ..." if len(each["tags"]) > _NAMED else "")
        note(f"{each['model']}: {len(each['tags'])} tags that git-strata did not make count for nothing: {first}")


def _versions(state: ModelState) -> list[dict[str, object]]:
    return [_plain(placed) for placed in state.versions.values()]


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
    tell_foreign(answer["foreign"])
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
    from strata_git.cli.moments import unix_time

    try:
        return unix_time(text)
    except ValueError as error:
        raise UsageError(f"{error}.") from None


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
