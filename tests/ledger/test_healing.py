"""A forked line of events is told until a signed resolution follows all of its ends; then it is one line again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.ledger.healing import heal, seen_by_date
from strata_git.ledger.names import EventName
from strata_git.ledger.stages import reachable
from strata_git.ledger.state import ModelState, fold
from tests.ledger.book import START, UUID, Book, oid


def branch(book: Book, name: str, *, skip: int = 0) -> Book:
    """A second author who goes on from the same events; `name` keeps their objects apart."""
    other = Book(book.model, list(book.events), dict(book.stages))
    other.salt = name
    return other


def model(*books: Book) -> ModelState:
    events = {event.oid: event for book in books for event in book.events}
    return fold(events.values(), repository=UUID, now=START + 10_000).models["forest"]


def stages(state: ModelState) -> dict[str, str]:
    return {version: placed.stage for version, placed in state.versions.items()}


def healed(state: ModelState, keep: str = "") -> ModelState:
    """What `resolve` writes, by hand."""
    ends = [event for event in state.events if event.oid in state.heads]
    kept = next((event for event in ends if keep == event.oid), ends[0])
    healing = heal(state, kept)
    book = Book("forest", list(state.events))
    record = kept.record
    assert record is not None
    stage = healing.versions[record.version].stage
    when = max(event.when for event in state.events) + 1
    name = EventName("forest", seq=state.next_seq)
    merged = replace(
        record, origin=stage, target=stage, seq=name.seq, prev=kept.oid,
        merges=tuple(sorted(event.oid for event in healing.others)),
    )  # fmt: skip
    book.events.append(
        replace(kept, name=name, header=name.tag, oid=oid("resolution", state.heads), record=merged, when=when)
    )
    for echo in healing.echoes:
        target = "experimental" if echo.leaving else echo.stage
        book.add(echo.version, echo.stage, target, leaving=echo.leaving)
        book.change(-1, when=when + book.events[-1].name.seq - name.seq)
    result = book.fold(now=START + 10_000).models["forest"]
    assert stages(result) == {v: p.stage for v, p in healing.versions.items()}
    return result


def forked() -> tuple[Book, Book]:
    """v1 is in production; one author brings v2 there, the other stages v3 and takes v1 down."""
    start = Book().move("v1", "staging").move("v1", "production").move("v2", "staging")
    other = branch(start, "other")
    start.move("v2", "production")
    other.move("v3", "staging").move("v1", "staging")
    return start, other


def test_a_fork_is_healed_and_both_lines_count() -> None:
    one, other = forked()
    state = model(one, other)
    assert {complaint.rule for complaint in state.complaints} == {"STR-P007"}
    kept = healed(state, one.events[-1].oid)
    assert kept.complaints == ()
    assert stages(kept) == {"v1": "experimental", "v2": "production", "v3": "staging"}
    other_kept = healed(state, other.events[-1].oid)
    assert other_kept.complaints == ()
    assert stages(other_kept) == {"v1": "staging", "v2": "production", "v3": "staging"}


def test_two_productions_become_that_of_the_kept_line() -> None:
    start = Book().move("v1", "staging").move("v2", "staging").move("v3", "staging")
    other = branch(start, "other")
    start.move("v1", "production")
    other.move("v3", "archived").move("v2", "production")
    state = model(start, other)
    assert stages(healed(state, start.events[-1].oid)) == {"v1": "production", "v2": "experimental", "v3": "archived"}
    assert stages(healed(state, other.events[-1].oid)) == {"v1": "experimental", "v2": "production", "v3": "archived"}


def test_a_demotion_on_one_line_is_not_undone_by_the_other() -> None:
    start = Book().move("v1", "staging").move("v1", "production")
    other = branch(start, "other")
    start.move("v2", "staging")
    other.move("v1", "archived")
    for end in (start, other):
        assert stages(healed(model(start, other), end.events[-1].oid)) == {"v1": "archived", "v2": "staging"}


def test_life_goes_on_after_healing() -> None:
    one, other = forked()
    state = healed(model(one, other))
    book = Book("forest", list(state.events), stages(state))
    book.move("v3", "production")
    for at in range(len(state.events), len(book.events)):
        book.change(at, when=START + 5000 + at)
    after = book.fold(now=START + 10_000).models["forest"]
    assert after.complaints == ()
    assert after.production == "v3"
    assert after.head == book.events[-1]


def test_what_goes_on_from_a_healed_end_forks_anew() -> None:
    one, other = forked()
    state = healed(model(one, other))
    late = branch(other, "late").move("v4", "staging")
    told = model(Book("forest", list(state.events)), late).complaints
    assert {complaint.rule for complaint in told} >= {"STR-P007"}


def test_two_resolutions_of_one_fork_are_a_fork_that_can_be_healed() -> None:
    one, other = forked()
    state = model(one, other)
    first, second = healed(state, one.events[-1].oid), healed(state, other.events[-1].oid)
    tagged = {event.oid: event for event in first.events}
    for event in second.events:  # the twin has another object
        if event.name.kind == "resolution":
            event = replace(event, oid=oid("twin"))
        if event.record is not None and event.record.prev == oid("resolution", state.heads):
            event = replace(event, oid=oid("twin", event.tag), record=replace(event.record, prev=oid("twin")))
        tagged.setdefault(event.oid, event)
    both = fold(tagged.values(), repository=UUID, now=START + 10_000).models["forest"]
    assert {complaint.rule for complaint in both.complaints} >= {"STR-P007"}


def test_an_unsigned_resolution_heals_nothing() -> None:
    one, other = forked()
    state = healed(model(one, other))
    book = Book("forest", list(state.events))
    at = next(at for at, event in enumerate(book.events) if event.name.kind == "resolution")
    rules = {rule for rule, _ in book.change(at, signatures=()).told(now=START + 10_000)}
    assert rules >= {"STR-P001", "STR-P007"}


def test_a_resolution_that_lies_about_the_outcome_is_told() -> None:
    one, other = forked()
    state = healed(model(one, other), one.events[-1].oid)
    book = Book("forest", list(state.events))
    at = next(at for at, event in enumerate(book.events) if event.name.kind == "resolution")
    book.change(at, origin="archived").change(at, target="archived")
    assert ("STR-P009", book.events[at].tag) in book.told(now=START + 10_000)


def test_a_resolution_whose_other_end_is_gone_is_told() -> None:
    one, other = forked()
    state = healed(model(one, other), one.events[-1].oid)
    gone = other.events[-1]
    rest = [event for event in state.events if event.oid != gone.oid]
    told = fold(rest, repository=UUID, now=START + 10_000).models["forest"].complaints
    assert any(c.rule == "STR-P006" and gone.oid in c.message for c in told)


@pytest.mark.parametrize("kind", ["entering", "leaving", "registration"])
def test_only_a_resolution_follows_several_events(kind: str) -> None:
    book = Book().move("v1", "staging").move("v1", "production")
    at = next(at for at, event in enumerate(book.events) if event.name.kind == kind)
    assert ("STR-P002", book.events[at].tag) in book.change(at, merges=(oid("x"),)).told()


def test_a_resolution_follows_several_events() -> None:
    book = Book().move("v1", "staging")
    name = EventName("forest", seq=2)
    last = book.events[-1]
    assert last.record is not None
    record = replace(last.record, origin="staging", target="staging", seq=2, prev=last.oid)
    book.events.append(replace(last, name=name, header=name.tag, oid=oid("r"), record=record, when=last.when + 1))
    assert ("STR-P002", name.tag) in book.told()


def test_echoes_are_allowed_behind_a_resolution_alone() -> None:
    book = Book().move("v1", "staging")
    book.add("v1", "staging", "staging")
    assert {rule for rule, _ in book.told()} == {"STR-P009"}


def test_only_the_end_of_a_fork_can_be_kept() -> None:
    one, other = forked()
    state = model(one, other)
    for event in (one.events[0], one.events[3]):
        with pytest.raises(ValueError, match="no end"):
            heal(state, event)
    with pytest.raises(ValueError, match="no end"):
        heal(model(one), one.events[-1])


# --- any two authors


@st.composite
def forks(draw: st.DrawFn) -> tuple[Book, Book]:
    """A common beginning and two ways on, each sound by itself, with no tag name in common."""
    versions = ["v1", "v2", "v3"]
    start = Book()

    def go(book: Book, steps: int) -> None:
        for _ in range(steps):
            version = draw(st.sampled_from(versions))
            if ways := reachable(book.stages.get(version, "experimental")):
                book.move(version, draw(st.sampled_from(ways)))

    go(start, draw(st.integers(1, 4)))
    if not start.events:
        start.move("v1", "staging")
    other = branch(start, "other")
    if draw(st.booleans()):  # so that numbers, and with them names, differ
        other.move("v9", "staging")
    go(start, draw(st.integers(1, 4)))
    go(other, draw(st.integers(1, 4)))
    return start, other


@given(forks(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_fork_is_told_and_every_fork_can_be_healed(pair: tuple[Book, Book], swap: bool) -> None:
    one, other = reversed(pair) if swap else pair
    common = {event.oid for event in one.events} & {event.oid for event in other.events}
    ours = [event for event in one.events if event.oid not in common]
    theirs = [event for event in other.events if event.oid not in common]
    if not ours or not theirs:
        assert model(one, other).complaints == ()
        return
    if {event.tag for event in ours} & {event.tag for event in theirs}:
        return  # git keeps one tag of a name: such lines never meet in one repository
    state = model(one, other)
    assert {complaint.rule for complaint in state.complaints} == {"STR-P007"}
    assert state.head is None
    after = healed(state, one.events[-1].oid)
    assert after.complaints == ()
    assert after.head is not None
    assert sum(placed.stage == "production" for placed in after.versions.values()) <= 1
    by_date = seen_by_date(after.events)
    assert {v: {p.stage} - {"experimental"} for v, p in after.versions.items()} == {
        v: by_date.get(v, set()) for v in after.versions
    }
    alone = {event.record.version for event in ours if event.record} - {e.record.version for e in theirs if e.record}
    for version in alone:
        claimed = one.stages[version]
        assert after.versions[version].stage == claimed


@given(forks(), st.data())
@settings(max_examples=60, deadline=None)
def test_the_order_of_reading_does_not_matter_in_forks(pair: tuple[Book, Book], data: st.DataObject) -> None:
    state = model(*pair)
    events = list(healed(state).events) if len(state.heads) == 2 else list(state.events)
    shuffled = data.draw(st.permutations(events))
    assert fold(shuffled, repository=UUID) == fold(events, repository=UUID)


@given(st.lists(st.tuples(st.sampled_from(["v1", "v2", "v3"]), st.integers(0, 3)), min_size=1, max_size=8))
@settings(deadline=None)
def test_a_longer_line_begins_like_a_shorter_one(moves: list[tuple[str, int]]) -> None:
    book = Book()
    for version, choice in moves:
        if ways := reachable(book.stages.get(version, "experimental")):
            book.move(version, ways[choice % len(ways)])
    whole = book.fold().models["forest"]
    for length in range(1, len(book.events)):
        part = fold(book.events[:length], repository=UUID).models["forest"]
        assert part.events == whole.events[:length]
        assert part.next_seq <= whole.next_seq
        assert set(part.versions) <= set(whole.versions)
        assert {c.rule for c in part.complaints} <= {"STR-P009"}  # a move that is only half told
        assert part.steps == whole.steps[: len(part.steps)]
