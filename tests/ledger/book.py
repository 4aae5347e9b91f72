"""Lines of events made by hand: what `promote` would write, without git and keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import Event, Evidence
from strata_git.ledger.names import EventName
from strata_git.ledger.record import Record
from strata_git.ledger.state import LedgerState, fold

UUID = "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01"
START = 1_770_000_000
GOOD = SignatureVerdict("A" * 40, "A" * 40, "good", "Alice")
UNKNOWN = SignatureVerdict("B" * 40, "B" * 40, "unknown-key")
BAD = SignatureVerdict("B" * 40, "B" * 40, "bad", "Bob")


def oid(*words: object) -> str:
    return hashlib.sha1(" ".join(map(str, words)).encode()).hexdigest()


@dataclass
class Book:
    """The events of one model, each behind the one before.

    >>> book = Book().move("v1", "staging").move("v1", "production")
    >>> [event.tag for event in book.events]
    ['forest@v1.0.0', 'forest#staging#1', 'forest#staging!#2', 'forest#production#3']
    """

    model: str = "forest"
    events: list[Event] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)
    salt: str = ""

    def move(self, version: str, target: str) -> Book:
        """What `promote` does."""
        if version not in self.stages:
            self.add(version, None, "experimental")
        origin = self.stages[version]
        if origin != "experimental":
            self.add(version, origin, target, leaving=True)
        rival = next((v for v, stage in self.stages.items() if stage == "production" and v != version), None)
        if target == "production" and rival:
            self.add(rival, "production", "experimental", leaving=True)
            self.stages[rival] = "experimental"
        self.add(version, origin, target)
        self.stages[version] = target
        return self

    def add(
        self,
        version: str,
        origin: str | None,
        target: str,
        *,
        leaving: bool = False,
        prev: str | None = "",
        seq: int = 0,
    ) -> Event:
        """One event behind the last (or behind `prev`), numbered on (or `seq`)."""
        number = seq or 1 + max((event.name.seq for event in self.events), default=0)
        name = EventName(self.model, version=version)
        if origin is not None:
            name = EventName(self.model, stage=origin if leaving else target, leaving=leaving, seq=number)
        else:
            self.stages[version] = target
        commit, tree = oid("commit", version), oid("tree", version)
        digest = "sha256:" + hashlib.sha256(version.encode()).hexdigest()
        record = Record(
            repo=UUID, model=self.model, version=version, origin=origin, target=target, seq=name.seq,
            prev=(self.events[-1].oid if self.events else None) if prev == "" else prev,
            commit=commit, tree=tree, digest=digest, judged_at=oid("head"), issued_at="2026-02-02T02:40:00Z",
        )  # fmt: skip
        event = Event(
            name, oid(self.model, name.tag, len(self.events), prev, self.salt), header=name.tag, target=commit,
            tagger="Ada <ada@example.org>", when=START + len(self.events), record=record, signatures=(GOOD,),
            evidence=Evidence(tree=tree, digest=digest),
        )  # fmt: skip
        self.events.append(event)
        return event

    def change(self, at: int, **changes: object) -> Book:
        """Alter an event; keys of the record are changed in the record."""
        event = self.events[at]
        assert event.record is not None
        inner = {key: value for key, value in changes.items() if key in Record.__dataclass_fields__}
        outer = {key: value for key, value in changes.items() if key not in inner}
        if inner:
            outer["record"] = replace(event.record, **inner)  # type: ignore[arg-type]
        self.events[at] = replace(event, **outer)  # type: ignore[arg-type]
        return self

    def fold(self, **options: object) -> LedgerState:
        return fold(self.events, **{"repository": UUID, "now": START + 1000, **options})  # type: ignore[arg-type]

    def told(self, **options: object) -> list[tuple[str, str]]:
        """Rule and tag of every complaint."""
        return [(complaint.rule, complaint.tag) for complaint in self.fold(**options).complaints]
