"""What was in production then: lines cut at a moment or at a commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.ledger.past import known_to, until
from strata_git.ledger.state import LedgerState
from tests.ledger.book import START, Book, oid
from tests.ledger.lab import NOW, Lab, lab_in
from tests.ledger.test_state import books
from tests.support.fixtures import Builder
from tests.support.keys import Keys


def stages(state: LedgerState) -> dict[str, str]:
    return {version: placed.stage for version, placed in state.models["forest"].versions.items()}


def story() -> Book:
    return Book().move("v1", "staging").move("v1", "production").move("v2", "staging").move("v2", "production")


def test_each_moment_has_its_stages() -> None:
    state = story().fold()
    assert stages(until(state, START - 1)) == {}
    assert stages(until(state, START)) == {"v1": "experimental"}
    assert stages(until(state, START + 3)) == {"v1": "production"}
    assert stages(until(state, START + 5)) == {"v1": "production", "v2": "staging"}
    assert stages(until(state, START + 10_000)) == {"v1": "experimental", "v2": "production"}


@given(books(), st.integers(-1, 30))
def test_the_past_of_the_past_is_the_past(book: Book, after: int) -> None:
    state = book.fold()
    then = until(state, START + after)
    assert until(then, START + after) == then
    assert then.models["forest"].events == tuple(event for event in book.events if event.when <= START + after)


def test_a_backdated_event_does_not_jump_the_line() -> None:
    book = story().change(6, when=START + 1)
    assert [event.tag for event in until(book.fold(), START + 2).models["forest"].events] == [
        event.tag for event in book.events[:3]
    ]


def test_commits_cut_the_line_where_one_is_not_known() -> None:
    book = story()
    for at in range(len(book.events)):
        book.change(at, judged_at=oid("head", at // 4))
    state = book.fold()
    assert stages(known_to(state, {oid("head", 0)})) == {"v1": "production"}
    assert stages(known_to(state, {oid("head", 1)})) == {}
    assert stages(known_to(state, {oid("head", n) for n in range(3)})) == {"v1": "experimental", "v2": "production"}


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    lab = lab_in(builder(), keys)
    lab.promote("v1")
    lab.promote("v1")
    lab.repo.write({"notes.md": b"x"})
    lab.repo.commit("Later")
    lab.promote("v2")
    lab.promote("v2")
    return lab


def shown(lab: Lab, *words: str) -> dict[str, str]:
    value = lab.repo.strata("stages", *words, "--format", "json").expect(0).json()
    return {row["version"]: row["stage"] for model in value["models"] for row in model["versions"]}  # type: ignore[attr-defined]


def test_the_command(lab: Lab) -> None:
    assert shown(lab) == {"v1": "experimental", "v2": "production"}
    assert shown(lab, "--at", "HEAD") == {"v1": "experimental", "v2": "production"}
    assert shown(lab, "--at", "HEAD^") == {"v1": "production"}
    assert shown(lab, "--at", "HEAD~2") == {}
    assert shown(lab, "--at-time", f"{NOW:%Y-%m-%dT%H:%M:%SZ}") == {"v1": "experimental"}
    assert shown(lab, "--at-time", f"{NOW:%Y-%m-%d}") == {"v1": "experimental", "v2": "production"}
    assert shown(lab, "--at-time", "2026-02-01T13:00:03+01:00") == {"v1": "production"}
    assert shown(lab, "--at-time", "2020-01-01") == {}
    assert "by the dates that the tags claim" in lab.repo.strata("stages", "--at-time", "2026-02-02").expect(0).err
    assert "registered then" in lab.repo.strata("stages", "--at-time", "2020-01-01").expect(0).err
    for words in (("--at", "nowhere"), ("--at-time", "yesterday"), ("--at", "HEAD", "--at-time", "2026-02-01")):
        lab.repo.strata("stages", *words).expect(64)
