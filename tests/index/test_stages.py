"""The ledger's state as the index keeps it: events, where each version is, what is wrong."""

from __future__ import annotations

from dataclasses import replace

from strata_git.contracts.layout import Artifact
from strata_git.index.records import Signature
from strata_git.index.stages import stages_of
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import Event, Evidence
from strata_git.ledger.names import EventName
from strata_git.ledger.record import Record
from strata_git.ledger.state import fold

COMMIT, TREE, DIGEST = "c" * 40, "d" * 40, f"sha256:{'1' * 64}"
ALICE = SignatureVerdict("A" * 40, "F" * 40, "good", "Alice <alice@example.org>")
V1, V2 = Artifact("model", "forest", "v1"), Artifact("model", "forest", "v2")


def event(name: EventName, place: int, version: str, origin: str | None, target: str) -> Event:
    """The `place`th event of the line, whose tag object's id is that digit over and over."""
    record = Record(
        "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01", "forest", version, origin, target, name.seq,
        f"{place - 1}" * 40 if place > 1 else None, COMMIT, TREE, DIGEST, COMMIT, "2026-01-05T12:00:00Z",
    )  # fmt: skip
    return Event(
        name, f"{place}" * 40, header=name.tag, target=COMMIT, when=1767614400 + place, reason="because",
        record=record, signatures=(ALICE,), evidence=Evidence(tree=TREE, digest=DIGEST),
    )  # fmt: skip


REGISTERED = event(EventName("forest", version="v1"), 1, "v1", None, "experimental")
STAGED = event(EventName("forest", stage="staging", seq=1), 2, "v1", "experimental", "staging")
LEFT = event(EventName("forest", stage="staging", leaving=True, seq=2), 3, "v1", "staging", "production")
PRODUCED = event(EventName("forest", stage="production", seq=3), 4, "v1", "staging", "production")
LINE = (REGISTERED, STAGED, LEFT, PRODUCED)


def test_events_name_tag_signer_and_what_they_vouch_for() -> None:
    stages = stages_of(fold(LINE))
    assert [e.tag for e in stages.events] == [
        "forest@v1.0.0", "forest#staging#1", "forest#staging!#2", "forest#production#3"
    ]  # fmt: skip
    last = stages.events[-1]
    assert (last.model, last.origin, last.stage, last.action) == (V1, "staging", "production", "entering")
    assert last.signature == Signature("F" * 40, "Alice <alice@example.org>", "good")
    assert (last.oid, last.commit, last.digest) == ("4" * 40, COMMIT, DIGEST)
    assert (last.date, last.reason) == ("2026-01-05T12:00:04Z", "because")
    assert stages.complaints == {}


def test_only_the_event_that_brought_a_version_where_it_is_is_current() -> None:
    stages = stages_of(fold(LINE))
    assert stages.placed == {V1: "production"}
    assert [e.current for e in stages.events] == [False, False, False, True]
    assert all(e.sound for e in stages.events)


def test_a_displaced_version_is_experimental_and_not_in_production() -> None:
    line = (
        *LINE,
        event(EventName("forest", version="v2"), 5, "v2", None, "experimental"),
        event(EventName("forest", stage="staging", seq=4), 6, "v2", "experimental", "staging"),
        event(EventName("forest", stage="staging", leaving=True, seq=5), 7, "v2", "staging", "production"),
        event(EventName("forest", stage="production", leaving=True, seq=6), 8, "v1", "production", "experimental"),
        event(EventName("forest", stage="production", seq=7), 9, "v2", "staging", "production"),
    )
    stages = stages_of(fold(line))
    assert stages.placed == {V1: "experimental", V2: "production"}
    assert [(e.tag, e.stage) for e in stages.events if e.current] == [
        ("forest#production!#6", "experimental"), ("forest#production#7", "production")
    ]  # fmt: skip


def test_an_unsigned_event_does_not_count_and_is_complained_about() -> None:
    stages = stages_of(fold((REGISTERED, replace(STAGED, signatures=()))))
    assert stages.placed == {V1: "experimental"}
    assert [(e.sound, e.signature is None) for e in stages.events] == [(True, False), (False, True)]
    assert {finding.rule for finding in stages.complaints["forest"]} == {"STR-P001"}


def test_a_tag_that_is_no_event_is_kept_without_a_record() -> None:
    flawed = Event(EventName("forest", stage="production", seq=9), "9" * 40, "it is lightweight", "STR-P001")
    stages = stages_of(fold((*LINE, flawed)))
    (odd,) = [e for e in stages.events if e.tag == "forest#production#9"]
    assert (odd.model.version, odd.digest, odd.date, odd.sound, odd.current) == ("", None, "", False, False)


def test_a_date_beyond_all_calendars_is_none() -> None:
    stages = stages_of(fold((replace(REGISTERED, when=10**12),)))
    assert stages.events[0].date == ""
