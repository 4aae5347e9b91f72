"""The fold: order by links alone, every event accounted for, nothing moved by what is not vouched for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.checks.catalog import RULES
from strata_git.ledger.event import Event, Evidence, LedgerComplaint
from strata_git.ledger.stages import reachable
from strata_git.ledger.state import fold
from tests.ledger.book import BAD, GOOD, START, UNKNOWN, UUID, Book, oid


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Any allowed story of up to three versions."""
    book = Book()
    for _ in range(draw(st.integers(1, 8))):
        version = draw(st.sampled_from(["v1", "v2", "v10"]))
        if ways := reachable(book.stages.get(version, "experimental")):
            book.move(version, draw(st.sampled_from(ways)))
    return book


@given(books())
def test_an_allowed_story_has_no_complaints(book: Book) -> None:
    state = book.fold()
    assert state.complaints == ()
    model = state.models["forest"]
    assert {version: placed.stage for version, placed in model.versions.items()} == book.stages
    assert model.events == tuple(book.events)
    assert model.head == book.events[-1]
    assert model.next_seq == 1 + max(event.name.seq for event in book.events)
    assert model.sound


@given(books(), st.data())
def test_the_order_of_reading_does_not_matter(book: Book, data: st.DataObject) -> None:
    if data.draw(st.booleans()):
        book.events.pop(data.draw(st.integers(0, len(book.events) - 1)))
    if book.events and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(book.events) - 1))
        book.change(at, signatures=data.draw(st.sampled_from([(), (UNKNOWN,), (BAD,)])))
    if len(book.events) > 2 and data.draw(st.booleans()):
        book.add("v3", None, "experimental", prev=book.events[0].oid)
    shuffled = data.draw(st.permutations(book.events))
    assert fold(shuffled, repository=UUID) == fold(book.events, repository=UUID)


@given(books(), st.data())
def test_a_missing_middle_event_is_noticed(book: Book, data: st.DataObject) -> None:
    gone = book.events.pop(data.draw(st.integers(0, len(book.events) - 2)))
    rules = [rule for rule, _ in book.told()]
    assert "STR-P006" in rules
    assert not book.fold().models["forest"].sound
    assert gone.oid in "".join(complaint.message for complaint in book.fold().complaints)


@given(books(), st.data())
@settings(max_examples=50)
def test_dates_do_not_order(book: Book, data: st.DataObject) -> None:
    before = book.fold().models["forest"]
    for at in range(len(book.events)):
        book.change(at, when=data.draw(st.integers(START - 1000, START)))
    after = book.fold().models["forest"]
    assert [event.tag for event in after.events] == [event.tag for event in before.events]
    assert {v: p.stage for v, p in after.versions.items()} == {v: p.stage for v, p in before.versions.items()}


def test_versions_are_listed_by_number() -> None:
    book = Book().move("v10", "staging").move("v2", "staging")
    assert list(book.fold().models["forest"].versions) == ["v2", "v10"]


def test_displacing_leaves_one_version_in_production() -> None:
    book = Book().move("v1", "staging").move("v1", "production").move("v2", "staging").move("v2", "production")
    assert [event.tag for event in book.events[-3:]] == [
        "forest#staging!#5", "forest#production!#6", "forest#production#7",
    ]  # fmt: skip
    model = book.fold().models["forest"]
    assert model.production == "v2"
    assert model.versions["v1"].stage == "experimental"


def test_models_do_not_mix() -> None:
    one, other = Book().move("v1", "staging"), Book("tree").move("v1", "archived")
    state = fold([*one.events, *other.events], repository=UUID)
    assert (list(state.models), state.complaints) == (["forest", "tree"], ())
    assert state.models["tree"].production is None


def test_nothing_is_a_state_too() -> None:
    assert fold([]).models == {}
    assert fold([]).complaints == ()


# --- one thing wrong


def two() -> Book:
    return Book().move("v1", "staging").move("v1", "production")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"header": "forest#production#9"}, "STR-P002"),
        ({"model": "tree"}, "STR-P002"),
        ({"version": "v2"}, "STR-P009"),
        ({"seq": 4}, "STR-P002"),
        ({"commit": oid("other")}, "STR-P002"),
        ({"target": "staging"}, "STR-P002"),
        ({"repo": UUID.replace("5", "6")}, "STR-P005"),
        ({"record": None}, "STR-P003"),
        ({"flaw": "it is a lightweight tag", "flaw_rule": "STR-P001"}, "STR-P001"),
        ({"signatures": ()}, "STR-P001"),
        ({"signatures": (BAD,)}, "STR-P004"),
        ({"signatures": (UNKNOWN,)}, "STR-P004"),
        ({"signatures": (GOOD, BAD)}, "STR-P004"),
        ({"signatures": (BAD, GOOD)}, "STR-P004"),
        ({"evidence": Evidence()}, "STR-P010"),
        ({"tree": oid("other")}, "STR-P010"),
        ({"digest": "sha256:" + "1" * 64}, "STR-P011"),
        ({"evidence": Evidence(present=False)}, "STR-P021"),
        ({"when": START + 2}, "STR-P016"),
        ({"when": START + 1000 + 601}, "STR-P016"),
        ({"prev": None}, "STR-P007"),
        ({"prev": oid("gone")}, "STR-P006"),
        ({"origin": "archived"}, "STR-P009"),
    ],
)
def test_each_lie_about_the_last_event_is_told(changes: dict[str, object], rule: str) -> None:
    book = two().change(3, **changes)
    assert rule in {told for told, tag in book.told() if tag == "forest#production#3"}
    assert book.fold().models["forest"].sound == (rule == "STR-P021")


def test_a_wrong_leaving_is_told() -> None:
    assert ("STR-P002", "forest#staging!#2") in two().change(2, origin="production").told()


def test_a_registration_says_what_it_must() -> None:
    assert ("STR-P002", "forest@v1.0.0") in two().change(0, version="v2").told()
    assert ("STR-P002", "forest@v1.0.0") in two().change(0, target="staging").told()


def test_the_commit_must_have_introduced_the_version() -> None:
    book = two()
    evidence = replace(book.events[0].evidence, introduces=False)
    assert book.change(0, evidence=evidence).told() == [("STR-P010", "forest@v1.0.0")]


@pytest.mark.parametrize("signatures", [(), (BAD,), (UNKNOWN,), (GOOD, BAD)])
def test_what_nobody_vouches_for_moves_nothing(signatures: tuple[object, ...]) -> None:
    model = two().change(3, signatures=signatures).fold().models["forest"]
    assert model.production is None
    assert [event.tag for event in model.events][-1] == "forest#production#3"


def test_another_repository_is_only_foreign_when_ours_is_known() -> None:
    assert two().told(repository="") == []
    assert {rule for rule, _ in two().told(repository=UUID.replace("5", "6"))} == {"STR-P005"}


def test_a_fork_is_told_at_both_events_and_has_no_head() -> None:
    book = two()
    book.add("v2", None, "experimental")
    book.add("v3", None, "experimental", prev=book.events[3].oid)
    model = book.fold().models["forest"]
    assert [(c.rule, c.tag) for c in model.complaints if c.rule == "STR-P007"] == [
        ("STR-P007", "forest@v2.0.0"), ("STR-P007", "forest@v3.0.0"),
    ]  # fmt: skip
    assert model.head is None
    assert len(model.heads) == 2


def test_an_unsigned_twin_does_not_fork_the_line() -> None:
    book = two()
    book.add("v2", None, "experimental")
    book.add("v3", None, "experimental", prev=book.events[3].oid)
    book.change(5, signatures=())
    assert book.told() == [("STR-P001", "forest@v3.0.0")]
    head = book.fold().models["forest"].head
    assert head is not None
    assert head.tag == "forest@v2.0.0"


def test_two_unsigned_twins_do() -> None:
    book = two()
    book.add("v2", None, "experimental")
    book.add("v3", None, "experimental", prev=book.events[3].oid)
    book.change(4, signatures=()).change(5, signatures=())
    assert [rule for rule, _ in book.told()].count("STR-P007") == 2


def test_events_that_follow_one_another_in_a_circle_are_told() -> None:
    book = two()
    book.change(0, prev=book.events[1].oid)
    assert {rule for rule, _ in book.told()} >= {"STR-P006"}
    assert len(book.fold().models["forest"].events) == 4


def test_an_unreadable_event_before_is_not_called_gone() -> None:
    book = two().change(2, record=None)
    (complaint,) = [c for c in book.fold().complaints if c.rule == "STR-P006"]
    assert complaint.message.endswith("cannot be read")


def test_numbers_neither_repeat_nor_skip() -> None:
    book = Book().move("v1", "staging")
    book.add("v2", None, "experimental")
    book.add("v2", "experimental", "staging", seq=3)
    assert book.told() == [("STR-P008", "forest#staging#3")]
    twice = Book().move("v1", "staging")
    twice.add("v1", "staging", "archived", leaving=True, seq=2)
    twice.add("v1", "staging", "archived", seq=2)
    assert twice.told() == [("STR-P008", "forest#archived#2")]


# --- the rules of moving


def moved(*steps: tuple[str, str | None, str, bool]) -> list[str]:
    """What is said (by message) about steps (version, origin, target, leaving)."""
    book = Book()
    for version, origin, target, leaving in steps:
        book.add(version, origin, target, leaving=leaving)
    return [complaint.message for complaint in book.fold().complaints if complaint.rule == "STR-P009"]


REGISTERED = ("v1", None, "experimental", False)
STAGED = ("v1", "experimental", "staging", False)
LEFT = ("v1", "staging", "production", True)
ENTERED = ("v1", "staging", "production", False)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([STAGED], "v1 is not registered"),
        ([REGISTERED, ("v1", "experimental", "production", False)], "may not move from experimental to production"),
        ([REGISTERED, STAGED, ENTERED], "without having left staging"),
        ([REGISTERED, STAGED, LEFT], "arrived in no other"),
        ([REGISTERED, STAGED, LEFT, ("v1", "staging", "archived", False)], "on its way from staging to production"),
        ([REGISTERED, LEFT], "from staging, which was in experimental"),
        ([REGISTERED, STAGED, LEFT, ENTERED, ("v1", "production", "experimental", True)], "no other took its place"),
        (
            [REGISTERED, STAGED, LEFT, ENTERED, ("v1", "production", "experimental", True),
             ("v2", None, "experimental", False)],
            "no other took its place",
        ),
        (
            [REGISTERED, STAGED, LEFT, ENTERED, ("v1", "production", "experimental", True),
             ("v1", "experimental", "production", False)],
            "no other took its place",
        ),
        (
            [REGISTERED, STAGED, LEFT, ENTERED, ("v2", None, "experimental", False),
             ("v2", "experimental", "staging", False), ("v2", "staging", "production", True),
             ("v2", "staging", "production", False)],
            "v1 is in production still",
        ),
        ([REGISTERED, STAGED, ("v1", "staging", "experimental", True)], "from staging to experimental"),
    ],
)  # fmt: skip
def test_moves_that_break_the_rules_are_told(steps: list[tuple[str, str | None, str, bool]], words: str) -> None:
    assert any(words in message for message in moved(*steps)), moved(*steps)


def test_a_second_registration_changes_nothing() -> None:
    book = Book().move("v1", "staging")
    book.add("v1", None, "experimental")
    model = book.fold().models["forest"]
    assert [complaint.message for complaint in model.complaints] == ["v1 is registered already"]
    assert model.versions["v1"].stage == "staging"


# --- the recorded head, names, and how complaints read


def test_tags_may_be_ahead_of_the_recorded_head_but_not_behind() -> None:
    book = two()
    assert book.told(heads={"forest": book.events[-1].oid}) == []
    assert book.told(heads={"forest": book.events[0].oid}) == []
    last = book.events.pop()
    assert ("STR-P017", "") in book.told(heads={"forest": last.oid})


def test_malformed_names_are_told_where_the_model_has_events() -> None:
    assert two().told(malformed={"forest": ["forest#production"], "web": ["web@v1.2.3"]}) == [
        ("STR-P002", "forest#production")
    ]


def test_complaints_become_findings() -> None:
    finding = LedgerComplaint("STR-P007", "forest#staging#1", "the line forks").finding("forest")
    assert (finding.rule, finding.severity, finding.path) == ("STR-P007", "error", "refs/tags/forest#staging#1")
    assert finding.fix == RULES["STR-P007"].fix.replace("MODEL", "forest")
    assert LedgerComplaint("STR-P017", "", "gone").finding("forest").path == "forest"


def test_signers_are_named_as_well_as_can_be() -> None:
    event = two().events[0]
    assert event.signer == "Alice"
    assert replace(event, signatures=(UNKNOWN,)).signer == "B" * 40
    assert replace(event, signatures=()).signer == ""
    assert Event(event.name, event.oid).signed is False
