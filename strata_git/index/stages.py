"""The ledger's events as the index keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strata_git.contracts.layout import STAGES, Artifact
from strata_git.index.records import StageRecord
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from strata_git.checks.finding import Finding
    from strata_git.index.vouch import Verifier
    from strata_git.ledger.event import Event
    from strata_git.ledger.state import LedgerState, ModelState


@dataclass(frozen=True, slots=True)
class Stages:
    """Every event, by model and in the order of its line; where each version is now; what is wrong, by model."""

    events: tuple[StageRecord, ...] = ()
    placed: Mapping[Artifact, str] = field(default_factory=dict)
    complaints: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)


def read_stages(
    repo: Repository, verifier: Verifier | None = None, *, repository: str = "", moment: int | None = None
) -> Stages:
    """What the ledger of `repo` says now, whatever revision is looked at; `repository` is the UUID events must name.

    With `moment` (Unix time) what it said then, going by the dates that events claim. Without `verifier` the user's own
    keys judge. Raises StrataError where there are events and no gpg to verify them.
    """
    from strata_git.ledger.events import read_ledger

    ledger = read_ledger(repo, verifier, repository=repository)
    state = ledger.state
    if moment is not None:
        from strata_git.ledger.past import until

        state = until(state, moment)
    return stages_of(state, [finding for finding in ledger.trust.findings if finding.severity != "info"])


def may_have_events(repo: Repository) -> bool:
    """Whether there is anything for a ledger to tell of: a tag, a line's head, an approval, or events seen before."""
    if (repo.common_dir / "strata" / "seen.json").exists():
        return True
    return bool(repo.git("for-each-ref", "--count=1", "--format=%(refname)", "refs/tags/", "refs/strata/"))


def stages_of(state: LedgerState, doubts: Sequence[Finding] = ()) -> Stages:
    """A ledger's state as the index keeps it; `doubts` about the policy that judged it are told of every model."""
    events: list[StageRecord] = []
    placed: dict[Artifact, str] = {}
    complaints: dict[str, tuple[Finding, ...]] = {}
    for name, model in sorted(state.models.items()):
        events += _events(model)
        placed |= {Artifact("model", name, version): where.stage for version, where in model.versions.items()}
        if told := (*(complaint.finding(name) for complaint in model.complaints), *doubts):
            complaints[name] = told
    return Stages(tuple(events), placed, complaints)


def _events(model: ModelState) -> Iterator[StageRecord]:
    from strata_git.index.vouch import signer
    from strata_git.integrity.signer import foremost

    wrong = {complaint.tag for complaint in model.complaints if complaint.severity == "error"}
    for event in model.events:
        record = event.record
        version = record.version if record else event.name.version
        stage = (record.target if record else event.name.stage) or STAGES[0]
        where = model.versions.get(version)
        yield StageRecord(
            Artifact("model", model.model, version),
            action=event.name.kind,
            stage=stage,
            origin=record.origin if record else None,
            tag=event.tag,
            oid=event.oid,
            commit=event.target,
            date=_date(event),
            digest=record.digest if record else None,
            signature=signer(foremost(event.signatures)) if event.signatures else None,
            sound=event.tag not in wrong,
            current=where is not None and where.since.oid == event.oid and where.stage == stage,
            reason=event.reason,
        )


def _date(event: Event) -> str:
    try:
        return datetime.fromtimestamp(event.when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if event.when else ""
    except (OverflowError, ValueError, OSError):
        return ""
