"""Histories and crossings of hand-made records, and plots of any values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.index.bisect import Limit, bisect, crossing_text
from strata_git.index.history import History, history, history_rows
from strata_git.index.measures import Measure, assumed_direction, best, judge, measures_of
from strata_git.index.records import ArtifactRecord, Index, Introduction
from strata_git.index.terminal_plot import ASCII, plot


def record(number: int, commit: str, **metrics: float) -> ArtifactRecord:
    introduced = Introduction(commit, "Ada", f"2026-01-{number:02d}T00:00:00Z", f"Add {number}") if commit else None
    return ArtifactRecord(
        Artifact("model", "forest", f"v{number}"), f"t{number}", metrics=metrics, introduced=introduced
    )


def told(*values: float | None, direction: str = "higher") -> History:
    records = [record(n, f"c{n}", **({} if v is None else {"f": v})) for n, v in enumerate(values, 1)]
    order = {f"c{n}": n for n in range(1, len(values) + 1)}
    return history(Index("e", artifacts=tuple(records)), "forest", "f", order, direction=direction)


def found(limit: Limit, *values: float | None, direction: str = "higher") -> str | None:
    first = bisect(told(*values, direction=direction), limit).first
    return first.record.artifact.version if first else None


def test_versions_come_in_the_order_of_commits_not_of_numbers() -> None:
    records = (record(1, "c3", f=1), record(2, "c1", f=2), record(3, "", f=3))
    made = history(Index("e", artifacts=records), "forest@v1", "f", {"c1": 0, "c3": 1})
    assert [point.record.artifact.version for point in made.points] == ["v3", "v2", "v1"]


@pytest.mark.parametrize(
    ("limit", "values", "version"),
    [
        (Limit("below", 0.9), (0.9, 0.91, 0.89, 0.95), "v3"),
        (Limit("above", 0.9), (0.9, 0.91), "v2"),
        (Limit("below", 0.1), (0.9, 0.8), None),
        (Limit("drop", 0.05), (0.9, 0.93, 0.88, 0.8), "v4"),
        (Limit("drop", 0.05), (0.9, 0.86, 0.83), "v3"),
        (Limit("drop", 0.1), (0.3, 0.2), None),
        (Limit("drop", 0), (0.3, 0.3, 0.2999), "v3"),
        (Limit("below", 0.9), (None, 0.8), "v2"),
    ],
)
def test_the_first_value_beyond_the_limit(limit: Limit, values: tuple[float | None, ...], version: str | None) -> None:
    assert found(limit, *values) == version


def test_a_loss_drops_when_it_rises() -> None:
    assert found(Limit("drop", 0.05), 0.2, 0.1, 0.2, direction="lower") == "v3"
    assert found(Limit("drop", 0.05), 0.2, 0.1, 0.01, direction="lower") is None


def test_what_cannot_be_bisected_is_said() -> None:
    with pytest.raises(StrataError, match="Nobody says"):
        bisect(told(1.0, direction=""), Limit("drop", 0.1))
    crossing = bisect(told(None, 1.0, 0.5), Limit("below", 0.6))
    assert crossing.unknown == ("models/forest@v1",)
    assert "not recorded in models/forest@v1" in crossing_text(crossing, told(None, 1.0, 0.5))


def test_a_history_marks_the_best_and_the_change() -> None:
    rows, head = history_rows(told(0.5, None, 0.75))
    assert head[4:6] == ("F", "CHANGE")
    assert [row[4:6] for row in rows] == [("0.5", ""), ("-", ""), ("0.75 *", "+0.25")]


def test_sizes_are_told_whole() -> None:
    records = [record(1, "c1"), record(2, "c2")]
    sized = tuple(replace(one, bytes=size) for one, size in zip(records, (1_234_567, 1_234_000), strict=True))
    rows, _ = history_rows(history(Index("e", artifacts=sized), "forest", "bytes", {"c1": 1, "c2": 2}))
    assert [row[4:6] for row in rows] == [("1,234,567", ""), ("1,234,000", "-567")]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=300), st.integers(1, 200), st.text()
)
@settings(max_examples=80)
def test_any_values_are_drawn_within_the_width(values: list[float], width: int, label: str) -> None:
    lines = plot(values, [label] * len(values), width=width, pen=ASCII)
    assert (lines == []) == (len(values) < 2)
    assert all("\n" not in line for line in lines)
    if width > 60:
        assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("test_f1", "higher"), ("valLoss", "lower"), ("rmse", "lower"), ("trees", ""), ("loss_accuracy", ""), ("AUC", "")],
)
def test_directions_by_name(name: str, direction: str) -> None:
    assert assumed_direction(name) == (direction or ("higher" if name == "AUC" else ""))


def test_measures_take_what_is_declared_and_survive_what_is_odd() -> None:
    said = {
        "metrics": {
            "acc": {"value": 1, "direction": "lower", "tolerance": -1, "n": "x"},
            "bad": 3,
            "loss": {"value": 2},
        }
    }
    made = measures_of({"acc": 1}, said)
    assert made["acc"] == Measure(1, "lower", 0.0, declared=True)
    assert (made["loss"].value, made["loss"].direction, made["loss"].declared) == (2, "lower", False)
    assert "bad" not in made


def test_equal_within_tolerance_by_decimal_digits() -> None:
    one, other = Measure(0.92, "higher", 0.01), Measure(0.91, "higher", 0.01)
    assert judge(one, other) == "equal"
    assert judge(Measure(0.92, "higher"), Measure(0.91, "higher")) == "worse"
    assert judge(Measure(1, "higher"), Measure(2, "lower")) == "differs"
    assert judge(None, one) == "new"
    assert judge(one, None) == "missing"
    assert best([one, None, other], 0.01) == (0, 2)
    assert best([Measure(1, ""), Measure(2, "")]) == ()
    assert best([one, None]) == ()
