"""Making a forked line of events one again: what the versions' stages become, and what has to be said of it. Pure.

A resolution follows every end of the line, and one of them is kept: where the ends contradict each other, its claims
hold (`moves`). Readers who know no links and go by dates (GTO) may still see other stages; for them a resolution is
followed by echoes, ordinary stage tags that say what already is so (TFC-0009 3.8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import Event
from strata_git.ledger.line import order
from strata_git.ledger.moves import Placement
from strata_git.ledger.names import EventName
from strata_git.ledger.record import Record
from strata_git.ledger.stages import EXPERIMENTAL
from strata_git.ledger.state import ModelState, fold


@dataclass(frozen=True, slots=True)
class Echo:
    """A stage tag that readers by date need: the version leaves a stage (for experimental), or is in one."""

    version: str
    stage: str
    leaving: bool


@dataclass(frozen=True, slots=True)
class Healing:
    """How a fork is healed: the end that is kept, the others, the stages that come out, and the echoes.

    `undone` are moves that do not hold: the event, and the stage in which the version is instead.
    """

    kept: Event
    others: tuple[Event, ...]
    versions: Mapping[str, Placement]
    echoes: tuple[Echo, ...]
    undone: tuple[tuple[Event, str], ...]


def heal(state: ModelState, kept: Event) -> Healing:
    """What a resolution by which `kept` holds makes of a forked line; `kept` is one of its ends.

    Raises ValueError where it is none, or the line doesn't fork.
    """
    ends = [event for event in state.events if event.oid in state.heads]
    others = tuple(event for event in ends if event.oid != kept.oid)
    if len(others) != len(ends) - 1 or not others:
        raise ValueError(f"{kept.tag} is no end of a forked line")
    resolved = fold([*state.events, _rehearsed(state, kept, others)]).models[state.model]
    undone = tuple(_undone(state, ends, resolved.versions))
    return Healing(kept, others, resolved.versions, tuple(_echoes(state.events, resolved.versions)), undone)


def seen_by_date(events: Iterable[Event]) -> dict[str, set[str]]:
    """The stages in which each version is for a reader who orders stage tags by date (GTO does)."""
    stages: defaultdict[str, set[str]] = defaultdict(set)
    for event in sorted(events, key=lambda each: (each.when, each.name.seq, each.tag)):
        if event.record is None:
            continue
        if event.name.kind == "entering":
            stages[event.record.version].add(event.name.stage)
        elif event.name.kind == "leaving":
            stages[event.record.version].discard(event.name.stage)
    return dict(stages)


def _echoes(events: Iterable[Event], versions: Mapping[str, Placement]) -> Iterable[Echo]:
    """Leaving first, so that never two versions are in production by date."""
    seen = seen_by_date(events)
    for version, placed in versions.items():
        for stage in sorted(seen.get(version, set()) - {placed.stage}):
            yield Echo(version, stage, leaving=True)
    for version, placed in versions.items():
        if placed.stage != EXPERIMENTAL and placed.stage not in seen.get(version, set()):
            yield Echo(version, placed.stage, leaving=False)


def _undone(state: ModelState, ends: Iterable[Event], versions: Mapping[str, Placement]) -> Iterable[tuple[Event, str]]:
    """The last move of a version on each line that made one since the fork, where something else came out."""
    line = order(state.events)
    behind = {end.oid: line.ancestry(end.oid) for end in ends}
    everywhere = frozenset.intersection(*behind.values())
    for oids in behind.values():
        branch = fold(event for event in state.events if event.oid in oids).models[state.model]
        for version, placed in branch.versions.items():
            if placed.since.oid not in everywhere and placed.stage != versions[version].stage:
                yield placed.since, versions[version].stage


def _rehearsed(state: ModelState, kept: Event, others: Iterable[Event]) -> Event:
    """A resolution that nobody wrote, to see what comes of it."""
    model: Record | None = kept.record
    assert model is not None  # noqa: S101 - only readable events are ends of a line
    name = EventName(state.model, seq=state.next_seq)
    record = replace(
        model, origin=EXPERIMENTAL, target=EXPERIMENTAL, seq=name.seq, prev=kept.oid,
        merges=tuple(sorted(event.oid for event in others)), approvals=(),
    )  # fmt: skip
    return replace(kept, name=name, header=name.tag, oid="", record=record, signatures=_GOOD)


_GOOD = (SignatureVerdict("", "", "good"),)
