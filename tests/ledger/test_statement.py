"""The note of an event follows from its tag."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from strata_git.ledger.materials import note_lines
from strata_git.ledger.noting import stray_notes
from strata_git.ledger.statement import OURS, Made, statement, statements
from strata_git.repo.notes import noted
from tests.ledger.book import Book
from tests.ledger.lab import Lab
from tests.support.fixtures import Builder
from tests.support.keys import Keys


def test_an_event_is_an_in_toto_statement() -> None:
    event = Book().move("v1", "staging").events[1]
    assert event.record is not None
    value = json.loads(statement(event))
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["predicateType"] == "git-strata:promotion/v1"
    assert value["subject"] == [
        {"name": "models/forest/v1", "digest": {"gitCommit": event.target, "sha256": event.record.digest[7:]}}
    ]
    assert value["predicate"] == {
        "tag": "forest#staging#1", "tagObject": event.oid, "record": event.record.as_json(),
    }  # fmt: skip
    assert b"\n" not in statement(event)


def test_what_has_no_record_has_no_note() -> None:
    with pytest.raises(ValueError, match="no record"):
        statement(replace(Book().move("v1", "staging").events[1], record=None))


MADE = Made(
    run="run-2026-01-05-001", digest="sha256:" + "1" * 64, spec={"params": {"depth": 3}}, system={"python": "3.11"},
    record={
        "plugin": "sklearn", "started": "2026-01-05T12:00:00Z", "finished": "2026-01-05T12:00:09Z",
        "inputs": [{"ref": "datasets/iris@v1", "digest": "sha256:" + "2" * 64, "content_hash": "sha256:" + "3" * 64}],
        "code": {"commit": "4" * 40, "dirty": False, "tree": "5" * 40},
    },
    sums={"logs.txt": "6" * 64, "metrics.json": "7" * 64, "config.yaml": "8" * 64},
)  # fmt: skip


def test_a_registration_tells_how_the_model_was_made() -> None:
    event = Book().move("v1", "staging").events[0]
    _, line = statements(event, MADE, "9" * 64)
    value = json.loads(line)
    assert value["predicateType"] == "https://slsa.dev/provenance/v1"
    assert value["subject"] == json.loads(statement(event))["subject"]
    build, details = value["predicate"]["buildDefinition"], value["predicate"]["runDetails"]
    assert build["externalParameters"] == {"params": {"depth": 3}}
    assert build["internalParameters"] == {"python": "3.11"}
    assert build["resolvedDependencies"] == [
        {"name": "datasets/iris@v1", "digest": {"sha256": "2" * 64}},
        {"name": "code", "digest": {"gitCommit": "4" * 40}},
    ]  # fmt: skip
    assert details["builder"] == {"id": "git-strata:plugin/sklearn"}
    assert details["metadata"]["invocationId"] == "run-2026-01-05-001"
    assert [each["name"].rpartition("/")[2] for each in details["byproducts"]] == [
        "run-2026-01-05-001", "logs.txt", "metrics.json",
    ]  # fmt: skip
    assert len(statements(event, None, None)) == 1


def test_a_move_up_tells_what_it_passed() -> None:
    book = Book().move("v1", "staging").move("v1", "production").move("v1", "archived")
    book.change(3, policy="sha256:" + "a" * 64)
    assert [len(statements(event, MADE, None)) for event in book.events] == [2, 2, 1, 2, 1, 1]
    value = json.loads(statements(book.events[3], None, "9" * 64)[1])
    assert value["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert value["predicate"]["result"] == "PASSED"
    assert value["predicate"]["passedTests"] == ["doctor", "policy"]
    assert [each["digest"] for each in value["predicate"]["configuration"]] == [
        {"gitTag": book.events[3].oid}, {"sha256": "9" * 64}, {"sha256": "a" * 64},
    ]  # fmt: skip


def test_every_line_is_known_as_ours() -> None:
    for event in Book().move("v1", "staging").move("v1", "production").events:
        assert all(OURS in line and b"\n" not in line for line in statements(event, MADE, "9" * 64))


def test_what_json_cannot_say_is_left_out() -> None:
    event = Book().move("v1", "staging").events[0]
    assert len(statements(event, replace(MADE, spec={"x": float("inf")}), None)) == 1


def test_two_clones_come_to_the_same_lines(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    story = repo.story()
    repo.commit("Add forest@v1")
    lab = Lab(repo, keys)
    lab.promote("v1")
    clone = Lab(repo.clone(), keys)
    mine, theirs = lab.repo.repository(), clone.repo.repository()
    lines = note_lines(mine, lab.state().events)
    assert lines == note_lines(theirs, clone.state().events)
    assert [len(each) for each in lines.values()] == [2, 2]
    noted_here = {line for each in noted(mine).values() for line in each}
    assert noted_here == {line for each in lines.values() for line in each}
    assert story.run.name.encode() in next(line for line in noted_here if b"slsa.dev" in line)
    assert stray_notes(mine, lab.state().events) == ()
    changed = next(line for line in noted_here if b"slsa.dev" in line).replace(b'"sklearn"', b'"other"')
    repo.git(
        "notes", "--ref=strata", "append", "-m", changed.replace(b"plugin/sklearn", b"plugin/other").decode(), "HEAD"
    )
    assert {each.rule for each in stray_notes(mine, lab.state().events)} == {"STR-P018"}
    mine.close()
    theirs.close()
