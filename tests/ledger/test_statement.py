"""The note of an event follows from its tag."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from strata_git.ledger.statement import statement
from tests.ledger.book import Book


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
