"""The ledger's state: a fold over events, ordered by what each says came before it and never by dates (TFC-0009 §3).

Pure: the same events in any order give the same state, and one that is missing from the middle is noticed. An event
whose signature does not count keeps its place in the line but moves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from strata_git.ledger.approval import Approval, judge_named
from strata_git.ledger.event import Event, LedgerComplaint, doubts, errors, flaws
from strata_git.ledger.line import order
from strata_git.ledger.moves import Moves, Placement, Step, Transitions

AHEAD = 600
"""Seconds by which an event's date may be ahead of the clock."""
_GONE = "has no tag any more"


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model: its versions and what happened to them.

    `events` are in the order of the line, those that are no part of one last. `head` is the last event, None when
    there is none or the line forks; `heads` are the tag objects that nothing follows. `next_seq` is the number of the
    next stage tag. `steps` are the whole moves, in the order of the line.
    """

    model: str
    versions: Mapping[str, Placement]
    events: tuple[Event, ...]
    head: Event | None
    heads: tuple[str, ...]
    next_seq: int
    complaints: tuple[LedgerComplaint, ...]
    steps: tuple[Step, ...] = ()

    @property
    def production(self) -> str | None:
        """The version in production, None when there is none."""
        return next((name for name, placed in self.versions.items() if placed.stage == "production"), None)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong that forbids building on it."""
        return not errors(self.complaints)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """All models that have events, by name; and complaints about tags in the order of rule and tag.

    `foreign` are tags that look like events, by the names of models that have none: those of GTO, or of releases of
    packages. They count for nothing, and nothing is wrong with them.
    """

    models: Mapping[str, ModelState] = field(default_factory=dict)
    foreign: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def complaints(self) -> tuple[LedgerComplaint, ...]:
        """Everything that is wrong, of all models."""
        return tuple(complaint for state in self.models.values() for complaint in state.complaints)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is on record about one model beside its events."""

    head: str | None
    seen: Collection[str]
    odd: Iterable[str]
    transitions: Transitions | None = None


def fold(
    events: Iterable[Event],
    *,
    repository: str = "",
    now: int | None = None,
    heads: Mapping[str, str] | None = None,
    malformed: Mapping[str, Iterable[str]] | None = None,
    seen: Mapping[str, Collection[str]] | None = None,
    approvals: Mapping[str, Approval] | None = None,
    transitions: Transitions | None = None,
) -> LedgerState:
    """The state that `events` make.

    `repository` is the UUID they must name (`""`: any). `now` is Unix time, for dates in the future. `heads` is what
    `refs/strata/ledger/` holds by model, `seen` the last events that were seen here before, `malformed` the tags that
    pretend to be events. `approvals` are those that are here, by tag object (None: they are not judged).
    `transitions` tells which moves the policy of an event's time allows.
    """
    grouped: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        grouped[event.name.model].append(event)
    odd, recorded, before = malformed or {}, heads or {}, seen or {}
    folded = {}
    for model in sorted(grouped.keys() | recorded.keys() | before.keys()):
        facts = _Facts(recorded.get(model), before.get(model, ()), odd.get(model, ()), transitions)
        folded[model] = _fold_model(model, grouped.get(model, []), repository, now, facts, approvals)
    return LedgerState(folded, {model: tuple(sorted(tags)) for model, tags in odd.items() if model not in folded})


def _fold_model(
    model: str, events: list[Event], repository: str, now: int | None, facts: _Facts,
    approvals: Mapping[str, Approval] | None,
) -> ModelState:  # fmt: skip
    told = [LedgerComplaint("STR-P002", tag, "the name is not that of an event") for tag in facts.odd]
    linked: list[Event] = []
    apart: list[Event] = []
    for event in sorted(events, key=lambda each: (each.name.seq, each.tag, each.oid)):
        found = flaws(event, repository)
        told += found or doubts(event)
        (apart if found else linked).append(event)
    line = order(linked, {event.oid for event in apart})
    told += line.complaints
    told += _judge_numbers(line.events)
    told += _judge_dates(linked, now)
    known = {event.oid for event in linked}
    if facts.head is not None and facts.head not in known:
        told.append(LedgerComplaint("STR-P017", "", f"the recorded last event (tag object {facts.head}) {_GONE}"))
    for oid in facts.seen:
        if oid not in known and oid != facts.head:
            told.append(LedgerComplaint("STR-P017", "", f"an event that was seen here (tag object {oid}) {_GONE}"))
    moves = Moves(line.joints, line.ancestry, facts.transitions)
    for event in line.events:
        moves.take(event)
    moves.end([event.oid for event in reversed(line.events) if event.oid in line.heads])
    told += moves.complaints
    if approvals is not None:
        told += [complaint for step in moves.steps for complaint in judge_named(step, approvals)]
    head = next((event for event in linked if (event.oid,) == line.heads), None)
    highest = max((event.name.seq for event in events), default=0)
    return ModelState(
        model, moves.placements(), (*line.events, *apart), head, line.heads, highest + 1, tuple(sorted(set(told))),
        tuple(moves.steps),
    )  # fmt: skip


def _judge_numbers(events: Iterable[Event]) -> Iterable[LedgerComplaint]:
    """Stage events count 1, 2, 3, ... along the line; a resolution goes on from the highest of what it joins."""
    reached: dict[str | None, int] = {None: 0}
    for event in events:
        before = [reached[parent] for parent in event.parents or (None,) if parent in reached]
        last = max(before, default=None)
        if event.name.kind == "registration":
            reached[event.oid] = last or 0
            continue
        if last is not None and event.name.seq != last + 1:
            yield LedgerComplaint("STR-P008", event.tag, f"number {event.name.seq} follows number {last}")
        reached[event.oid] = event.name.seq


def _judge_dates(events: Iterable[Event], now: int | None) -> Iterable[LedgerComplaint]:
    known = {event.oid: event for event in events}
    for event in known.values():
        for before in (known[parent] for parent in event.parents if parent in known):
            if event.when <= before.when:
                message = f"it is not dated after {before.tag}, which came before it"
                yield LedgerComplaint("STR-P016", event.tag, message)
        if now is not None and event.when > now + AHEAD:
            yield LedgerComplaint("STR-P016", event.tag, "it is dated in the future")
