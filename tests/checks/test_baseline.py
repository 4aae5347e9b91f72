"""The baseline's form, and what it may and may not take away."""

from __future__ import annotations

import json
import os

import pytest

from strata_git.checks.baseline import adopted, judge_stale, judge_unreadable, parse, render, subtract
from strata_git.checks.finding import Finding, found

ODD = os.fsdecode(b"datasets/\xff/v1/a")
ONE = found("STR-D001", "datasets/old/v1/metadata.yaml", "no files", line=4)
TWO = found("STR-L002", ODD, "is not UTF-8")
WARNING = found("STR-D003", "datasets/old/v1/metadata.yaml", "shared")


def test_the_file_has_one_form() -> None:
    data = render(adopted([WARNING, TWO, ONE, ONE]))
    assert data == render(adopted([ONE, TWO, WARNING]))
    assert parse(data) == adopted([ONE, TWO, WARNING])
    rows = json.loads(data)["findings"]
    assert [row["rule"] for row in rows] == ["STR-D001", "STR-D003", "STR-L002"]
    assert rows[2]["path"] == "datasets/\\udcff/v1/a"
    assert b"no files" not in data


def test_what_is_known_is_taken_away_wherever_it_stands() -> None:
    entries = adopted([ONE, TWO])
    moved = found("STR-D001", ONE.path, ONE.message, line=40, commit="c" * 40)
    other = found("STR-D001", ONE.path, "other files")
    left, known = subtract([moved, TWO, other, WARNING], entries)
    assert (left, known) == ([other, WARNING], [moved, TWO])


@pytest.mark.parametrize(
    "rule", ["STR-I001", "STR-I006", "STR-P004", "STR-C008", "STR-C009", "STR-L016", "STR-L020", "STR-L021"]
)
def test_what_no_baseline_can_hold(rule: str) -> None:
    finding = found(rule, "x", "m")
    assert adopted([finding]) == frozenset()
    by_hand = frozenset({(rule, "x", next(iter(adopted([Finding("STR-D001", "error", "x", 0, "m", "f")])))[2])})
    assert subtract([finding], by_hand) == ([finding], [])


def test_information_is_not_written_down() -> None:
    assert adopted([found("STR-L014", ".", "no runs/ yet")]) == frozenset()


def test_what_occurs_no_more_is_told() -> None:
    entries = adopted([ONE, TWO])
    assert judge_stale([ONE, TWO, WARNING], entries) == []
    (told,) = judge_stale([ONE], entries)
    assert (told.rule, told.severity, told.path) == ("STR-L022", "info", ".strata/baseline.json")
    assert "STR-L002" in told.message


@pytest.mark.parametrize("data", [
    b"", b"[]", b"null", b"{", b'{"schema": "strata/baseline/v2", "findings": []}', b'{"findings": []}',
    b'{"schema": "strata/baseline/v1"}', b'{"schema": "strata/baseline/v1", "findings": {}}',
    b'{"schema": "strata/baseline/v1", "findings": [7]}',
    b'{"schema": "strata/baseline/v1", "findings": [{"rule": "STR-D001", "path": "x"}]}',
    b'{"schema": "strata/baseline/v1", "findings": [{"rule": "STR-D001", "path": "x", "message": 1}]}',
    b"[" * 100_000,
])  # fmt: skip
def test_what_is_no_baseline(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(data)
    assert judge_unreadable("why").severity == "error"
