"""Words for figures, and plots of figures nobody expects."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from strata_git.contracts.layout import Artifact
from strata_git.dashboard.html import render
from strata_git.dashboard.moves import stage_of, telling
from strata_git.dashboard.plots import LINES, parallel, spark, stage_lanes
from strata_git.dashboard.words import brief, counted, cut, figure, moment, person, size, whole
from strata_git.index.records import ArtifactRecord, StageRecord

figures = some.floats(allow_nan=False, allow_infinity=False) | some.integers(-(10**300), 10**300)


def run(number: int, metrics: dict[str, float]) -> ArtifactRecord:
    return ArtifactRecord(Artifact("run", f"run-2026-01-05-{number:03d}"), "", metrics=metrics)


def event(version: str, action: str, origin: str | None, stage: str, minute: int) -> StageRecord:
    model = Artifact("model", "forest", version)
    return StageRecord(
        model, action, stage, f"t{minute}", "", "", f"2026-01-05T12:{minute:02d}:00Z", None, None, origin
    )


STORY = [
    event("v1", "registration", None, "experimental", 1),
    event("v1", "leaving", "experimental", "production", 2),
    event("v1", "entering", "experimental", "production", 2),
    event("v2", "registration", None, "experimental", 3),
    event("v1", "leaving", "production", "experimental", 4),
    event("v2", "entering", "experimental", "production", 5),
]


@given(some.lists(some.dictionaries(some.sampled_from(["a", "b", "<i>", "c" * 90]), figures), min_size=2, max_size=8))
@example([{"a": 0.0}, {"b": -1.75e308}])  # alone on its axis, and without room below
def test_any_figures_give_a_plot_inside_its_frame(values: list[dict[str, float]]) -> None:
    drawn = parallel([run(number, metrics) for number, metrics in enumerate(values)], "runs.html")
    names = {name for metrics in values for name in metrics}
    assert (drawn is None) == (sum(map(bool, values)) < 2 or len(names) < 2)
    if drawn is not None:
        markup = render(drawn)
        assert "<i>" not in markup
        assert "nan" not in markup
        assert all(0 <= float(y) <= 260 for y in re.findall(r'cy="([^"]+)"', markup))


def test_only_the_latest_runs_are_drawn() -> None:
    drawn = parallel([run(number, {"a": number, "b": -number}) for number in range(LINES + 50)], "runs.html")
    assert drawn is not None
    assert render(drawn).count("data-row") == LINES


@given(some.lists(some.none() | figures, max_size=40))
def test_any_values_give_a_small_line_or_none(values: list[float | None]) -> None:
    drawn = spark(values)
    assert (drawn is None) == (sum(value is not None for value in values) < 2)


def test_leaving_for_the_next_stage_is_not_told_twice() -> None:
    assert [(each.model.version, each.action, stage_of(each)) for each in telling(STORY)] == [
        ("v1", "registration", "experimental"),
        ("v1", "entering", "production"),
        ("v2", "registration", "experimental"),
        ("v1", "leaving", "production"),
        ("v2", "entering", "production"),
    ]


def test_lanes_show_what_was_when() -> None:
    drawn = stage_lanes(["v1", "v2", "v3"], STORY)
    assert drawn is not None
    markup = render(drawn)
    assert re.findall(r'<title>(v\d \w+)', markup) == [
        "v1 experimental", "v1 production", "v1 experimental", "v2 experimental", "v2 production",
    ]  # fmt: skip
    assert ">v3<" not in markup
    assert stage_lanes(["v1"], []) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.97660818713, "0.9766"), (12, "12"), (1.0, "1"), (0.0000123, "1.23e-05"), (1234.5678, "1235"), (-0.5, "-0.5000"),
     (10**300, "1e+300"), (0.0, "0")],
)  # fmt: skip
def test_figures(value: float, told: str) -> None:
    assert figure(value) == told


@given(figures)
def test_every_figure_is_short(value: float) -> None:
    assert len(figure(value)) <= 12


def test_words() -> None:
    assert (size(512), size(1536), size(3 << 30)) == ("512 B", "1.5 KiB", "3.0 GiB")
    assert (counted(1, "run"), counted(1234, "run")) == ("1 run", "1\u202f234 runs")
    assert (whole(1_000_000), cut("abcdef", 4), cut("abcd", 4)) == ("1\u202f000\u202f000", "abc…", "abcd")
    assert (brief("a" * 40), brief("sha256:" + "b" * 64)) == ("a" * 12, "sha256:" + "b" * 12)
    assert (moment("2026-11-21T15:29:44Z"), moment("<x>"), person("Ada <a@b>")) == ("2026-11-21 15:29", "<x>", "Ada")
