"""The prediction log: what is kept, what never is, and that no request waits for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.contracts import service as contract
from strata_git.errors import StrataError
from strata_git.serving import prediction_log
from strata_git.serving.prediction_log import FILE, PredictionLog, log_files, read_log
from tests.serving.stand_ins import provenance, rows

SCORES: Mapping[str, Any] = {"score": np.array([1.5, np.nan]), "probabilities": np.array([[0.5, 0.5], [1.0, 0.0]])}
ASKED = contract.PredictionLog(enabled=True)


def test_a_row_is_a_line_with_its_time_version_and_outputs(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    log = PredictionLog(ASKED, tmp_path / "a" / "log", clock=lambda: moment)
    log.offer("r-1", provenance("v2"), rows(1.0, 2.0), SCORES)
    log.close()
    log.offer("r-2", provenance("v2"), rows(1.0, 2.0), SCORES)
    first, second = read_log(tmp_path / "a" / "log")
    assert (first.time, first.request, first.model, first.row) == (moment, "r-1", "forest@v2", 0)
    assert (second.inputs, second.outputs) == (
        {"sepal": 2.0, "petal": 0.0}, {"score": None, "probabilities": [1.0, 0.0]}
    )  # fmt: skip
    assert [one.row for one in read_log(tmp_path / "a" / "log", since=moment + timedelta(seconds=1))] == []
    assert (tmp_path / "a" / "log").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "log" / FILE).stat().st_mode & 0o777 == 0o600
    assert list(read_log(tmp_path / "none")) == []


def test_what_is_omitted_is_nowhere_and_a_share_is_a_share(tmp_path: Path) -> None:
    chances = iter([0.05, 0.5, 0.1, 0.0999])
    said = contract.PredictionLog(enabled=True, percent=10, omit=("sepal", "probabilities", "petal"))
    log = PredictionLog(said, tmp_path, chance=lambda: next(chances))
    for name in "abcd":
        log.offer(name, provenance(), rows(1.0, 2.0), SCORES)
    log.close()
    assert [one.request for one in read_log(tmp_path)] == ["a", "a", "d", "d"]
    assert all((one.inputs, list(one.outputs)) == ({}, ["score"]) for one in read_log(tmp_path))


def test_files_are_turned_over_and_the_oldest_go(tmp_path: Path) -> None:
    log = PredictionLog(ASKED, tmp_path, size=400, files=2)
    for place in range(12):
        log.offer(f"r-{place}", provenance(), rows(float(place)), {"score": np.array([1.0])})
    log.close()
    assert [one.name for one in log_files(tmp_path)] == [
        *(f"predictions-{one:06d}.jsonl" for one in numbers(tmp_path)),
        FILE,
    ]
    assert len(log_files(tmp_path)) == 3
    assert all(one.stat().st_size <= 400 for one in log_files(tmp_path))
    kept = [one.request for one in read_log(tmp_path)]
    assert kept == [f"r-{place}" for place in range(12 - len(kept), 12)]


def numbers(directory: Path) -> list[int]:
    return [int(one.stem.rpartition("-")[2]) for one in log_files(directory)[:-1]]


def test_nobody_waits_what_is_too_much_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "WAITING_ROWS", 3)
    log = PredictionLog(ASKED, tmp_path)
    with log._changed:  # the writer cannot take anything meanwhile
        for name in "abc":
            log.offer(name, provenance(), rows(1.0, 2.0), SCORES)
    log.close()
    assert log.counts() == {"written": 1, "dropped": 2, "failed": 0}


def test_a_log_that_cannot_be_written_or_read_hurts_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    directory = tmp_path / "log"
    directory.mkdir()
    (directory / FILE).symlink_to(elsewhere)
    log = PredictionLog(ASKED, directory)
    log.offer("a", provenance(), rows(1.0, 2.0), SCORES)
    log.offer("b", provenance(), rows(1.0, 2.0), SCORES)
    log.close()
    assert (log.counts()["failed"], elsewhere.read_text()) == (2, "")
    assert [record.message for record in caplog.records] == ["the prediction log cannot be written: OSError"]
    with pytest.raises(StrataError, match="cannot be read"):
        list(read_log(directory))
    os.unlink(directory / FILE)
    good = b'{"time":"2026-11-21T09:30:00.000Z","request":"a","model":"m@v1","row":0,"inputs":{},"outputs":{}}\n'
    (directory / FILE).write_bytes(b"nonsense\n[]\n" + good + good.replace(b"{}", b"[]") + good[:40])
    assert [one.request for one in read_log(directory)] == ["a"]
