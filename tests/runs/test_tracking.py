"""Measurements are finite numbers, kept exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strata_git.runs.tracking import Recorder, finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, np.float32("nan")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="metric 'm'"):
        finite("m", value)


@pytest.mark.parametrize(("value", "kind"), [(3, int), (0.1, float), (np.float64(0.1), float), (np.int64(3), float)])
def test_numbers_become_plain(value: float, kind: type) -> None:
    plain = finite("m", value)
    assert type(plain) is kind
    assert plain == value


def test_the_last_value_stands() -> None:
    recorder = Recorder()
    for step, loss in enumerate((3.0, 2.0, 1.5)):
        recorder.log_metric("loss", loss, step)
    assert recorder.metrics == {"loss": 1.5}


def test_a_batch_with_one_bad_value_changes_nothing() -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match="nan"):
        recorder.log_metrics({"good": 1.0, "bad": math.nan})
    assert recorder.metrics == {}
