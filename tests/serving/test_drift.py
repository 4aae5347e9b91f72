"""Drift: measures that agree with their definitions, tell what moved, and are silent about chance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.serving.columns import Field
from strata_git.serving.drift import (
    chi_square_quantile,
    compare_columns,
    ks_noise,
    ks_statistic,
    psi,
    psi_noise,
)
from strata_git.serving.drift_plugin import _ODD, _of_line, _value

RANDOM = np.random.default_rng(7)


def test_the_index_is_its_definition() -> None:
    assert psi([0.5, 0.5], [0.25, 0.75], 100, 100) == pytest.approx(-0.25 * log(0.5) + 0.25 * log(1.5))
    assert psi([0.5, 0.5, 0], [0.5, 0.5, 0], 10, 10) == 0
    assert psi([1, 0], [0, 1], 100, 100) == pytest.approx(2 * (1 - 0.005) * log(1 / 0.005))


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8), st.data())
def test_the_index_is_symmetric_and_never_negative(counts: list[int], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.integers(1, 50), min_size=len(counts), max_size=len(counts)))
    p, q = ([one / sum(row) for one in row] for row in (counts, other))
    assert psi(p, q, 1000, 1000) >= 0
    assert psi(p, q, 1000, 1000) == pytest.approx(psi(q, p, 1000, 1000))


@pytest.mark.heavy
def test_the_statistic_and_the_quantiles_are_those_of_others() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scikit-learn, which brings scipy, is an extra")
    one, other = RANDOM.normal(size=80), RANDOM.normal(0.4, size=50)
    assert ks_statistic(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic)
    for degrees in (3, 9, 50):
        assert chi_square_quantile(0.95, degrees) == pytest.approx(stats.chi2.ppf(0.95, degrees), rel=0.01)
    assert ks_noise(1000, 1000) == pytest.approx(stats.kstwobign.isf(0.05) * (2 / 1000) ** 0.5, rel=0.01)
    assert ks_statistic(one, np.array([])) == 0


def test_what_moved_is_told_and_what_did_not_is_not() -> None:
    plans = np.array(["basic", "plus", None], dtype=object)
    before = {
        "same": RANDOM.normal(size=2000), "shifted": RANDOM.normal(size=2000), "constant": np.ones(2000),
        "lost": RANDOM.normal(size=2000), "plan": plans[RANDOM.integers(0, 3, 2000)],
        "kind": np.array(["a", "b"] * 1000, dtype=object), "flag": np.array([True, False] * 1000),
        "counts": RANDOM.integers(0, 4, 2000), "gone": np.ones(2000),
    }  # fmt: skip
    now = {
        "same": RANDOM.normal(size=900), "shifted": RANDOM.normal(1, size=900), "constant": np.ones(900),
        "lost": np.where(RANDOM.random(900) < 0.4, np.nan, RANDOM.normal(size=900)),
        "plan": plans[RANDOM.integers(0, 3, 900)], "kind": np.array(["a", "a", "c"] * 300, dtype=object),
        "flag": np.array([True, False] * 450, dtype=object), "counts": RANDOM.integers(0, 4, 900).astype(float),
    }  # fmt: skip
    for statistic in ("psi", "ks"):
        found = compare_columns(before, now, statistic=statistic, threshold=0.2)  # type: ignore[arg-type]
        assert {one.name for one in found if one.drifted} == {"shifted", "lost", "kind"}
        assert {one.name for one in found} == before.keys() - {"gone"}
        values = [one.psi if statistic == "psi" else one.ks for one in found]
        assert values == sorted(values, reverse=True)
    told = {one.name: one for one in found}
    assert told["lost"].missing == (0, pytest.approx(0.4, abs=0.05))
    assert told["constant"].psi == 0
    assert [name for name, _, now_ in told["kind"].bins if now_ and name == "new"] == ["new"]
    assert sum(row[1] for row in told["same"].bins) == pytest.approx(1, abs=1e-5)
    json.dumps([one.as_json() for one in found], allow_nan=False)


def test_few_rows_are_no_reason_for_alarm() -> None:
    """Fifteen rows of the same distribution are far beyond 0.2 by chance alone."""
    alarms = beyond = 0
    for _ in range(60):
        before, now = {"x": RANDOM.normal(size=300)}, {"x": RANDOM.normal(size=15)}
        (one,) = compare_columns(before, now, statistic="psi", threshold=0.2)
        beyond += one.psi > 0.2
        alarms += one.drifted
    assert beyond > 30
    assert alarms <= 8
    assert psi_noise(10, 300, 15) > 0.5


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        (b'{"time": "2026-11-21T09:30:00", "inputs": {"age": 1}}', []),  # no zone: nobody knows when
        (b'{"time": "yesterday", "inputs": {"age": 1}}', []),
        (b'{"time": "2026-11-21T09:30:00Z", "inputs": {"age": 1}}', [{"age": 1}]),
        (b'{"age": 1}', [{"age": 1}]),
        (b"[" * 100_000, [{}]),
        (b"9" * 10_000, [{}]),
    ],
)
def test_odd_lines_end_nothing(line: bytes, rows: list[dict[str, object]]) -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    assert [row for _, row in _of_line(line, since)] == rows


@pytest.mark.parametrize("value", [10**400, float("inf"), "1", True, [1], {}])
def test_what_no_float_holds_is_odd(value: object) -> None:
    assert _value(value, Field("age", "float64")) is _ODD
