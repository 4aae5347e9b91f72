"""Events in a push: tags, chain heads and notes, each judged as the ledger judges them (TFC-0009)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import SETTINGS
from strata_git.errors import StrataError
from strata_git.ledger.events import HEADS, Ledger, read_ledger
from strata_git.ledger.names import TAGS, likeness, parse_name
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF, noted


class Pushed(Protocol):
    """One reference of a push."""

    @property
    def local_ref(self) -> str: ...
    @property
    def local_oid(self) -> str: ...
    @property
    def remote_ref(self) -> str: ...
    @property
    def remote_oid(self) -> str: ...
    @property
    def creates(self) -> bool: ...


def is_event_ref(name: str) -> bool:
    """Whether a reference is an event tag, or pretends to be one."""
    return name.startswith(TAGS) and likeness(name.removeprefix(TAGS))[0] != "foreign"


def judge_event_refs(repo: Repository, pushes: Sequence[Pushed]) -> list[Finding]:
    """What is wrong with the event tags, chain heads and notes of a push; deletions are judged elsewhere."""
    tags = [push for push in pushes if is_event_ref(push.remote_ref)]
    heads = [push for push in pushes if push.remote_ref.startswith(HEADS)]
    notes = [push for push in pushes if push.remote_ref == NOTES_REF]
    if not (tags or heads or notes):
        return []
    ledger = read_ledger(repo, repository=_identity(repo))
    findings = _judge_names(tags)
    models = {name.model for push in tags if (name := parse_name(push.remote_ref.removeprefix(TAGS)))}
    models |= {push.remote_ref.removeprefix(HEADS) for push in heads}
    for model in sorted(models):
        findings += [complaint.finding(model) for complaint in ledger.model(model).complaints]
    findings += _judge_heads(ledger, heads)
    for push in notes:
        findings += _judge_notes(repo, ledger, push.local_oid)
    return findings


def _judge_names(tags: Iterable[Pushed]) -> list[Finding]:
    findings = []
    for push in tags:
        tag = push.remote_ref.removeprefix(TAGS)
        if parse_name(tag) is None:
            findings.append(found("STR-P002", push.remote_ref, "the name is not that of an event"))
        elif push.local_ref not in (push.remote_ref, push.local_oid):
            findings.append(found("STR-P002", push.remote_ref, f"would be made from {push.local_ref}"))
    return findings


def _judge_heads(ledger: Ledger, heads: Iterable[Pushed]) -> list[Finding]:
    """A chain's head moves forward along the chain, from what the other side has."""
    findings = []
    for push in heads:
        state = ledger.model(push.remote_ref.removeprefix(HEADS))
        line = [event.oid for event in state.events]
        if push.local_oid not in line:
            findings.append(found("STR-P006", push.remote_ref, "is none of the model's events"))
        elif not push.creates and push.remote_oid not in line[: line.index(push.local_oid) + 1]:
            message = "the other side's last event is not among ours: fetch first"
            findings.append(found("STR-P007", push.remote_ref, message))
    return findings


def _judge_notes(repo: Repository, ledger: Ledger, tip: str) -> list[Finding]:
    """A note line repeats a signed event; any other is told, for whoever reads notes might believe it."""
    from strata_git.ledger.statement import statement

    known = {
        statement(event) for state in ledger.state.models.values() for event in state.events if event.record is not None
    }
    return [
        found("STR-P018", NOTES_REF, f"a note on {commit[:12]} repeats no event that is here")
        for commit, lines in sorted(noted(repo, tip).items())
        if any(line and line not in known for line in lines)
    ]


def _identity(repo: Repository) -> str:
    """The UUID that events of this repository carry, by the settings of HEAD; `""` where there are none."""
    from strata_git.config import SettingsError, load_settings

    head = repo.head()
    if head is None:
        return ""
    for _, row in repo.objects.lookup([f"{head}:{SETTINGS}"]):
        try:
            return load_settings(row[2] if row and row[1] == "blob" else None).repository
        except SettingsError as error:
            raise StrataError(error.message, hint=error.hint) from None
    return ""
