"""What events do to versions, one event at a time, and which of them break the rules of moving (TFC-0009 §4). Pure.

A move between stages is two tags, leaving and entering, that carry the same origin and target. A version that is
displaced from production leaves it for `experimental` immediately before its successor enters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.record import Record
from strata_git.ledger.stages import EXPERIMENTAL, PRODUCTION, is_allowed


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a version is: its stage, the event that brought it there, and its registration (None: there is none)."""

    version: str
    stage: str
    since: Event
    registration: Event | None


class Moves:
    """Takes events in the order of their line; claims are followed even where they are complained about."""

    def __init__(self) -> None:
        self.complaints: list[LedgerComplaint] = []
        self._placed: dict[str, Placement] = {}
        self._moving: dict[str, Event] = {}  # version -> the event by which it left for another stage
        self._displaced: Event | None = None

    def placements(self) -> Mapping[str, Placement]:
        """Every version in the order of its number."""
        return dict(sorted(self._placed.items(), key=lambda item: int(item[0][1:])))

    def take(self, event: Event) -> None:
        """Follow one event."""
        record = event.record
        assert record is not None  # noqa: S101 - only readable events stand in a line
        kind = event.name.kind
        if self._displaced is not None and not self._succeeds(event, record):
            self._tell(self._displaced, "the version left production, and no other took its place")
            self._displaced = None
        match kind:
            case "registration":
                self._register(event, record)
            case "leaving":
                self._leave(event, record)
            case "entering":
                self._enter(event, record)

    def end(self) -> None:
        """There are no more events: moves that were begun are not finished."""
        if self._displaced is not None:
            self._tell(self._displaced, "the version left production, and no other took its place")
        for event in self._moving.values():
            self._tell(event, "the version left its stage and arrived in no other")

    def _register(self, event: Event, record: Record) -> None:
        if record.version in self._placed:
            self._tell(event, f"{record.version} is registered already")
            return
        self._placed[record.version] = Placement(record.version, record.target, event, event)

    def _leave(self, event: Event, record: Record) -> None:
        origin = record.origin or EXPERIMENTAL
        self._expect(event, record, origin)
        self._move(event, record, EXPERIMENTAL)
        if record.target == EXPERIMENTAL and origin == PRODUCTION:
            self._displaced = event
            return
        self._judge_transition(event, origin, record.target)
        self._moving[record.version] = event

    def _enter(self, event: Event, record: Record) -> None:
        origin = record.origin or EXPERIMENTAL
        left = self._moving.pop(record.version, None)
        if left is not None and left.record is not None:
            if (left.record.origin, left.record.target) != (record.origin, record.target):
                self._tell(event, f"the version was on its way from {left.record.origin} to {left.record.target}")
        else:
            self._expect(event, record, origin)
            if origin != EXPERIMENTAL:
                self._tell(event, f"the version enters {record.target} without having left {origin}")
            self._judge_transition(event, origin, record.target)
        rival = next((p.version for p in self._placed.values() if p.stage == PRODUCTION), record.version)
        if record.target == PRODUCTION and rival != record.version:
            self._tell(event, f"{rival} is in production still")
        self._displaced = None
        self._move(event, record, record.target)

    def _succeeds(self, event: Event, record: Record) -> bool:
        displaced = self._displaced.record.version if self._displaced and self._displaced.record else ""
        return event.name.kind == "entering" and record.target == PRODUCTION and record.version != displaced

    def _expect(self, event: Event, record: Record, stage: str) -> None:
        placed = self._placed.get(record.version)
        if placed is None:
            self._tell(event, f"{record.version} is not registered")
        elif placed.stage != stage:
            self._tell(event, f"it moves {record.version} from {stage}, which was in {placed.stage}")

    def _judge_transition(self, event: Event, origin: str, target: str) -> None:
        if not is_allowed(origin, target):
            self._tell(event, f"a version may not move from {origin} to {target}")

    def _move(self, event: Event, record: Record, stage: str) -> None:
        before = self._placed.get(record.version)
        self._placed[record.version] = Placement(record.version, stage, event, before.registration if before else None)

    def _tell(self, event: Event, message: str) -> None:
        self.complaints.append(LedgerComplaint("STR-P009", event.tag, message))
