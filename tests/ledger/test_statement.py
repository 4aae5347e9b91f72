"""The note of an event follows from its tag."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from strata_git.ledger.materials import note_lines
from strata_git.ledger.noting import stray_notes, unnoted, write_notes
from strata_git.ledger.statement import OURS, GateResult, Made, statement, statements
from strata_git.repo.notes import noted
from tests.ledger.book import Book
from tests.ledger.court import Court, court_in, rule
from tests.ledger.lab import Lab, lab_in
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


def test_each_metric_gate_is_told_by_itself() -> None:
    book = Book().move("v1", "staging").move("v1", "production")
    event = book.events[3]
    gates = (
        GateResult("good-enough", "test_f1 >= 0.9", "0.93", 500, "", ""),
        GateResult("no-worse", "test_f1 not worse than production", "0.93", 500, "0.95", "it is worse"),
    )
    value = json.loads(statements(event, None, None, gates)[1])["predicate"]
    assert value["result"] == "FAILED"
    assert (value["passedTests"], value["failedTests"]) == (["doctor", "gate/good-enough"], ["gate/no-worse"])
    assert value["gates"] == [
        {"name": "good-enough", "wanted": "test_f1 >= 0.9", "measured": "0.93", "samples": 500, "production": None,
         "verdict": "PASSED"},
        {"name": "no-worse", "wanted": "test_f1 not worse than production", "measured": "0.93", "samples": 500,
         "production": "0.95", "verdict": "FAILED", "reason": "it is worse"},
    ]  # fmt: skip
    assert "gates" not in json.loads(statements(event, None, None)[1])["predicate"]


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


GATES = {
    "good-enough": "test_f1 >= 0.5",
    "no-worse": "test_f1 not worse than production by more than 0.05",
}


def gated(builder: Builder, keys: Keys) -> Court:
    """v1, then v2, in production by a rule with two gates."""
    court = court_in(builder(), keys)
    figures = {"v3": 0.92, "v4": 0.9}
    for version, value in figures.items():
        court.repo.model("forest", version, metrics={"test_f1": value})
        court.repo.commit(f"Add {version}")
    asks = [rule("experimental", "staging", "alice"), rule("staging", "production", "alice", requires=[*GATES])]
    court.enact("alice", rules=asks, gates=GATES)
    for version in figures:
        court.promote(version)
        court.promote(version)
    return court


def results(court: Court) -> list[dict[str, Any]]:
    """What the notes say of the moves into production, in the order of the tags."""
    repo = court.repo.repository()
    lines = [json.loads(line) for each in noted(repo).values() for line in each]
    repo.close()
    told = [line["predicate"] for line in lines if line["predicateType"].endswith("test-result/v0.1")]
    return sorted((one for one in told if "gates" in one), key=lambda one: str(one["configuration"][0]["name"]))


def test_notes_name_gates_with_what_was_measured(builder: Builder, keys: Keys) -> None:
    court = gated(builder, keys)
    first, second = results(court)
    columns = ("name", "wanted", "measured", "production", "verdict")
    assert [tuple(row[column] for column in columns) for row in second["gates"]] == [
        ("good-enough", GATES["good-enough"], "0.9", None, "PASSED"),
        ("no-worse", GATES["no-worse"], "0.9", "0.92", "PASSED"),
    ]  # fmt: skip
    assert first["gates"][1]["production"] is None, "nothing was in production before"
    assert second["passedTests"] == ["doctor", "policy", "gate/good-enough", "gate/no-worse"]
    clone = Court(court.repo.clone(), keys, court.digests)
    there, here = clone.repo.repository(), court.repo.repository()
    events = court.state().events
    assert note_lines(there, events) == note_lines(here, events), "whoever has tags and tree comes to the same lines"
    assert stray_notes(here, events) == ()
    there.close()
    here.close()


def test_lines_of_before_gates_were_told_are_known_and_forged_ones_are_not(builder: Builder, keys: Keys) -> None:
    court = gated(builder, keys)
    repo = court.repo.repository()
    events = court.state().events
    last = events[-1]
    (plain,) = statements(last, None, None)[1:]
    assert b'"gates"' not in plain
    extra = set(note_lines(repo, events, known=True)[last.oid]) - set(note_lines(repo, events)[last.oid])
    assert len(extra) == 1
    court.repo.git("notes", "--ref=strata", "append", "-m", extra.pop().decode(), last.target)
    assert stray_notes(repo, events) == ()
    forged = note_lines(repo, events)[last.oid][1].replace(b'"measured":"0.9"', b'"measured":"0.99"')
    court.repo.git("notes", "--ref=strata", "append", "-m", forged.decode(), last.target)
    assert {each.rule for each in stray_notes(repo, events)} == {"STR-P018"}
    repo.close()


def test_an_event_without_its_notes_is_told_where_others_have_theirs(builder: Builder, keys: Keys) -> None:
    lab = lab_in(builder(), keys)
    lab.promote("v1")
    lab.promote("v2")
    repo = lab.repo.repository()
    events = lab.state().events
    assert unnoted(repo, events) == ()
    gone = next(event for event in events if event.record and event.record.version == "v2")
    lab.repo.git("notes", "--ref=strata", "remove", gone.target)
    assert {(each.rule, each.tag) for each in unnoted(repo, events)} == {
        ("STR-P028", event.tag) for event in events if event.target == gone.target
    }
    said = lab.repo.strata("verify")
    assert "info    refs/tags/forest@v2.0.0: STR-P028: it has no note, and other events have theirs" in said.out
    assert "ledger: 0 complaints" in said.out
    write_notes(repo, events)
    assert unnoted(repo, events) == ()
    lab.repo.git("update-ref", "-d", "refs/notes/strata")
    assert unnoted(repo, events) == (), "nobody notes anything here"
    repo.close()
