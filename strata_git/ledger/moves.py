"""What events do to versions, one event at a time, and which of them break the rules of moving (TFC-0009 §4). Pure.

A move between stages is two tags, leaving and entering, that carry the same origin and target. A version that is
displaced from production leaves it for `experimental` immediately before its successor enters. Where the line forks,
each branch has its own account; a resolution makes them one (`merged`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.record import Record
from strata_git.ledger.stages import EXPERIMENTAL, PRODUCTION, is_allowed

Transitions = Callable[[Event], Collection[tuple[str, str]] | None]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a version is: its stage, the event that brought it there, and its registration (None: there is none)."""

    version: str
    stage: str
    since: Event
    registration: Event | None

    @property
    def moved_by(self) -> str | None:
        """The tag object of the event that last moved it, None where it was only registered."""
        return None if self.since.name.kind == "registration" else self.since.oid


@dataclass(frozen=True, slots=True)
class Step:
    """One whole move: the event by which a version entered a stage, and those that left stages for it.

    `placed` is the event that had moved the version last (None: none had), `displaces` the one that had brought the
    version in production there, where the target is production (None: nothing was). An approval names both.
    """

    entering: Event
    leaving: Event | None
    displacing: Event | None
    placed: str | None
    displaces: str | None

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events in their order."""
        return tuple(event for event in (self.leaving, self.displacing, self.entering) if event is not None)


@dataclass(slots=True)
class _Account:
    """Where every version is on one branch, and what is under way: (event that left, where the version was before)."""

    placed: dict[str, Placement] = field(default_factory=dict)
    moving: dict[str, tuple[Event, Placement | None]] = field(default_factory=dict)
    displaced: tuple[Event, Placement | None] | None = None
    echoing: bool = False

    def copy(self) -> _Account:
        return _Account(dict(self.placed), dict(self.moving), self.displaced, self.echoing)


class Moves:
    """Takes events in the order of their line; claims are followed even where they are complained about.

    `joints` are the events whose account is needed again later, `ancestry` what lies behind given ends, `transitions`
    which moves the policy of an event's time allows (None: the usual ones).
    """

    def __init__(
        self,
        joints: Collection[str] = (),
        ancestry: Callable[..., frozenset[str]] | None = None,
        transitions: Transitions | None = None,
    ) -> None:
        self.complaints: list[LedgerComplaint] = []
        self.steps: list[Step] = []
        self._joints = joints
        self._transitions = transitions or (lambda _event: None)
        self._ancestry = ancestry or (lambda *ends: frozenset(ends))
        self._kept: dict[str, _Account] = {}
        self._now = _Account()
        self._last: str | None = None

    def placements(self) -> Mapping[str, Placement]:
        """Every version in the order of its number."""
        return dict(sorted(self._now.placed.items(), key=lambda item: int(item[0][1:])))

    def take(self, event: Event) -> None:
        """Follow one event; one whose signature does not count moves nothing."""
        prev = event.parents[0] if event.parents else None
        if prev is None:
            self._now = _Account()
        elif prev != self._last and prev in self._kept:
            self._now = self._kept[prev].copy()
        if event.signed:
            self._follow(event)
        self._last = event.oid
        if event.oid in self._joints:
            self._kept[event.oid] = self._now.copy()

    def end(self, heads: Collection[str] = ()) -> None:
        """There are no more events: moves that were begun are not finished; the accounts of several `heads` are one."""
        ends = [(head, self._kept[head]) for head in heads if head in self._kept] or [("", self._now)]
        for _, account in ends:
            self._unfinished(account)
        (_, self._now), *others = ends
        behind = self._ancestry(ends[0][0])
        for oid, account in others:
            self._now = _merged(self._now, account, behind, self._ancestry(oid), None)
            behind |= self._ancestry(oid)

    def _follow(self, event: Event) -> None:
        record = event.record
        assert record is not None  # noqa: S101 - only readable events stand in a line
        kind, now = event.name.kind, self._now
        if now.echoing and self._echoes(event, record):
            return
        now.echoing = False
        if now.displaced is not None and not self._succeeds(event, record):
            self._tell(now.displaced[0], "the version left production, and no other took its place")
            now.displaced = None
        match kind:
            case "registration":
                self._register(event, record)
            case "leaving":
                self._leave(event, record)
            case "entering":
                self._enter(event, record)
            case "resolution":
                self._resolve(event, record)

    def _register(self, event: Event, record: Record) -> None:
        if record.version in self._now.placed:
            self._tell(event, f"{record.version} is registered already")
            return
        self._now.placed[record.version] = Placement(record.version, record.target, event, event)

    def _leave(self, event: Event, record: Record) -> None:
        origin = record.origin or EXPERIMENTAL
        self._expect(event, record, origin)
        left = (event, self._now.placed.get(record.version))
        self._move(event, record, EXPERIMENTAL)
        if record.target == EXPERIMENTAL and origin == PRODUCTION:
            self._now.displaced = left
            return
        self._judge_transition(event, origin, record.target)
        self._now.moving[record.version] = left

    def _enter(self, event: Event, record: Record) -> None:
        origin, now = record.origin or EXPERIMENTAL, self._now
        left, before = now.moving.pop(record.version, (None, now.placed.get(record.version)))
        if left is not None and left.record is not None:
            if (left.record.origin, left.record.target) != (record.origin, record.target):
                self._tell(event, f"the version was on its way from {left.record.origin} to {left.record.target}")
        else:
            self._expect(event, record, origin)
            if origin != EXPERIMENTAL:
                self._tell(event, f"the version enters {record.target} without having left {origin}")
            self._judge_transition(event, origin, record.target)
        rival = next((p.version for p in now.placed.values() if p.stage == PRODUCTION), record.version)
        if record.target == PRODUCTION and rival != record.version:
            self._tell(event, f"{rival} is in production still")
        displacing, displaced = now.displaced or (None, None)
        self.steps.append(
            Step(
                event, left, displacing, before.moved_by if before else None, displaced.since.oid if displaced else None
            )
        )
        now.displaced = None
        self._move(event, record, record.target)

    def _resolve(self, event: Event, record: Record) -> None:
        """Make the branches' accounts one, and hold the record to what comes out (TFC-0009 3.8)."""
        behind = self._ancestry(*event.parents[:1])
        self._unfinished(self._now)
        for oid in record.merges:
            other = self._kept.get(oid)
            if other is None:
                continue  # it is gone, which is told elsewhere
            self._unfinished(other)
            self._now = _merged(self._now, other, behind, self._ancestry(oid), event)
            behind |= self._ancestry(oid)
        self._now.echoing = True
        self._expect(event, record, record.target)

    def _echoes(self, event: Event, record: Record) -> bool:
        """Whether an event behind a resolution says for readers who go by dates what already is so."""
        placed = self._now.placed.get(record.version)
        if placed is None:
            return False
        if event.name.kind == "entering":
            return record.origin == record.target == placed.stage
        return event.name.kind == "leaving" and record.target == EXPERIMENTAL and record.origin != placed.stage

    def _succeeds(self, event: Event, record: Record) -> bool:
        left = self._now.displaced
        displaced = left[0].record.version if left and left[0].record else ""
        return event.name.kind == "entering" and record.target == PRODUCTION and record.version != displaced

    def _expect(self, event: Event, record: Record, stage: str) -> None:
        placed = self._now.placed.get(record.version)
        if placed is None:
            self._tell(event, f"{record.version} is not registered")
        elif placed.stage != stage:
            self._tell(event, f"it moves {record.version} from {stage}, which was in {placed.stage}")

    def _judge_transition(self, event: Event, origin: str, target: str) -> None:
        if not is_allowed(origin, target, self._transitions(event)):
            self._tell(event, f"a version may not move from {origin} to {target}")

    def _move(self, event: Event, record: Record, stage: str) -> None:
        before = self._now.placed.get(record.version)
        registration = before.registration if before else None
        self._now.placed[record.version] = Placement(record.version, stage, event, registration)

    def _unfinished(self, account: _Account) -> None:
        if account.displaced is not None:
            self._tell(account.displaced[0], "the version left production, and no other took its place")
        for event, _ in account.moving.values():
            self._tell(event, "the version left its stage and arrived in no other")
        account.displaced, account.moving = None, {}

    def _tell(self, event: Event, message: str) -> None:
        self.complaints.append(LedgerComplaint("STR-P009", event.tag, message))


def _merged(
    kept: _Account, other: _Account, behind: frozenset[str], beyond: frozenset[str], resolution: Event | None
) -> _Account:
    """Two branches as one: who was moved on one branch alone is where that one says, else where `kept` says.

    `behind` and `beyond` are the events of the two branches. One version stays in production, that of `kept` where
    both have one; what gives way is experimental, since the `resolution`.
    """
    placed = dict(kept.placed)
    for version, there in other.placed.items():
        here = placed.get(version)
        if here is None or (here.since.oid in beyond and there.since.oid not in behind):
            placed[version] = there
    served = [version for version, each in placed.items() if each.stage == PRODUCTION]
    own = next((version for version in served if placed[version] is kept.placed.get(version)), None)
    for version in served:
        if version != (own or served[0]):
            before = placed[version]
            placed[version] = Placement(version, EXPERIMENTAL, resolution or before.since, before.registration)
    return _Account(placed)
