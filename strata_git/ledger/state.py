"""The ledger's state: a fold over events, ordered by what each says came before it and never by dates (TFC-0009 §3).

Pure: the same events in any order give the same state, and one that is missing from the middle is noticed. An event
whose signature does not count keeps its place in the line but moves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from strata_git.ledger.event import Event, LedgerComplaint, doubts, errors, flaws
from strata_git.ledger.line import order
from strata_git.ledger.moves import Moves, Placement

AHEAD = 600
"""Seconds by which an event's date may be ahead of the clock."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """One model: its versions and what happened to them.

    `events` are in the order of the line, those that are no part of one last. `head` is the last event, None when
    there is none or the line forks. `next_seq` is the number of the next stage tag.
    """

    model: str
    versions: Mapping[str, Placement]
    events: tuple[Event, ...]
    head: Event | None
    heads: tuple[str, ...]
    next_seq: int
    complaints: tuple[LedgerComplaint, ...]

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
    """All models that have events, by name; and complaints about tags in the order of rule and tag."""

    models: Mapping[str, ModelState] = field(default_factory=dict)

    @property
    def complaints(self) -> tuple[LedgerComplaint, ...]:
        """Everything that is wrong, of all models."""
        return tuple(complaint for state in self.models.values() for complaint in state.complaints)


def fold(
    events: Iterable[Event],
    *,
    repository: str = "",
    now: int | None = None,
    heads: Mapping[str, str] | None = None,
    malformed: Mapping[str, Iterable[str]] | None = None,
) -> LedgerState:
    """The state that `events` make.

    `repository` is the UUID they must name (`""`: any). `now` is Unix time, for dates in the future. `heads` is what
    `refs/strata/ledger/` holds by model; `malformed` the tags by model that pretend to be events.
    """
    grouped: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        grouped[event.name.model].append(event)
    odd, recorded = malformed or {}, heads or {}
    folded = {}
    for model in sorted(grouped.keys() | recorded.keys()):
        mine = grouped.get(model, [])
        folded[model] = _fold_model(model, mine, repository, now, recorded.get(model), odd.get(model, ()))
    return LedgerState(folded)


def _fold_model(
    model: str, events: list[Event], repository: str, now: int | None, recorded: str | None, odd: Iterable[str]
) -> ModelState:
    told = [LedgerComplaint("STR-P002", tag, "the name is not that of an event") for tag in odd]
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
    if recorded is not None:
        told += _judge_head(recorded, linked)
    moves = Moves()
    for event in line.events:
        if event.signed:
            moves.take(event)
    moves.end()
    told += moves.complaints
    head = next((event for event in linked if (event.oid,) == line.heads), None)
    highest = max((event.name.seq for event in events), default=0)
    return ModelState(
        model, moves.placements(), (*line.events, *apart), head, line.heads, highest + 1, tuple(sorted(set(told)))
    )


def _judge_numbers(events: Iterable[Event]) -> Iterable[LedgerComplaint]:
    """Stage events count 1, 2, 3, ... along the line."""
    last = 0
    for event in events:
        if event.name.kind == "registration":
            continue
        if event.name.seq != last + 1:
            yield LedgerComplaint("STR-P008", event.tag, f"number {event.name.seq} follows number {last}")
        last = event.name.seq


def _judge_dates(events: Iterable[Event], now: int | None) -> Iterable[LedgerComplaint]:
    known = {event.oid: event for event in events}
    for event in known.values():
        before = known.get(event.record.prev or "") if event.record else None
        if before is not None and event.when <= before.when:
            yield LedgerComplaint("STR-P016", event.tag, f"it is not dated after {before.tag}, which came before it")
        if now is not None and event.when > now + AHEAD:
            yield LedgerComplaint("STR-P016", event.tag, "it is dated in the future")


def _judge_head(recorded: str, events: Iterable[Event]) -> Iterable[LedgerComplaint]:
    """The recorded head is an event that is there; tags may be ahead of it (fetched by plain git), never behind."""
    if recorded not in {event.oid for event in events}:
        yield LedgerComplaint("STR-P017", "", f"the recorded last event (tag object {recorded}) has no tag any more")
