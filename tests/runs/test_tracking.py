"""Measurements are finite numbers, kept exactly; which tracker is told of them, and what it may know."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.config import Settings
from strata_git.errors import MissingExtra, UsageError
from strata_git.load import load_json
from strata_git.runs.history import Point, dump_history, load_history, write_history
from strata_git.runs.masking import Mask
from strata_git.runs.mlflow import Place, is_busy
from strata_git.runs.tracking import Recorder, finite
from strata_git.runs.tracking_choice import URI, choose, status_reader
from strata_git.runs.tracking_delivery import Later, reason_of
from strata_git.runs.tracking_files import FileTracker, MemoryTracker


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


def test_values_with_steps_are_kept_in_their_order(tmp_path: Path) -> None:
    recorder = Recorder()
    for step, loss in enumerate((3.0, 2.0)):
        recorder.log_metric("loss", loss, step * 10)
    recorder.log_metric("loss", 1.5)
    recorder.log_metrics({"score": 1})
    write_history(tmp_path, recorder.points)
    data = (tmp_path / "metrics.jsonl").read_bytes()
    assert data.splitlines()[0] == b'{"metric":"loss","step":0,"value":3}'
    expected = [Point("loss", 0, 3), Point("loss", 10, 2), Point("loss", 11, 1.5), Point("score", 0, 1)]
    assert load_history(data) == expected
    assert load_history(data + b'[1]\n{"metric":1}\n\xff\n{"metric":"a","step":0,"value":null}\n') == expected


def test_values_that_metrics_json_says_alone_need_no_history(tmp_path: Path) -> None:
    write_history(tmp_path, [("a", None, 1.0), ("b", None, 2.0)])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "metrics.jsonl").write_bytes(b"the plugin's own")
    write_history(tmp_path, [("a", 3, 1.0)])
    assert (tmp_path / "metrics.jsonl").read_bytes() == b"the plugin's own"


@given(
    st.lists(
        st.builds(
            Point,
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=9),
            st.integers(-(2**40), 2**40),
            st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
            st.none() | st.integers(0, 2**41),
        )
    )
)
def test_a_history_reads_as_it_was_written(points: list[Point]) -> None:
    assert load_history(dump_history(points)) == points


def test_no_secret_reaches_a_tracker() -> None:
    tracker, mask = MemoryTracker(), Mask(["hunter2-of-the-test"])
    recorder = Recorder(tracker, mask=mask.text)
    recorder.log_params({"key": "hunter2-of-the-test", "n": 3})
    recorder.set_tag("note", "it is hunter2-of-the-test")
    recorder.log_dataset("rows", source="https://host/?token=hunter2-of-the-test", rows=2)
    assert tracker.params["key"] == "***"
    assert "hunter2" not in str(vars(tracker))


def test_the_trackers_without_a_store_are_told_everything(tmp_path: Path) -> None:
    memory, file = MemoryTracker(), FileTracker(tmp_path / "told")
    (tmp_path / "out/plots").mkdir(parents=True)
    (tmp_path / "out/plots/a.svg").write_bytes(b"a")
    (tmp_path / "out/link").symlink_to("/etc/hostname")
    for tracker in (memory, file):
        recorder = Recorder(tracker, place=tmp_path / "out")
        recorder.log_param("C", 0.5)
        recorder.log_metric("loss", 0.25, 3)
        recorder.set_tag("why", "test")
        recorder.log_dataset("rows", source="made up", digest="sha256:ab", rows=2)
        recorder.log_artifacts(tmp_path / "out")
        recorder.finish("succeeded")
        assert (recorder.complete, recorder.waiting) == (True, "")
    assert (memory.params["C"], memory.points, memory.tags) == ("0.5", [("loss", 3, 0.25)], {"why": "test"})
    assert (memory.files, memory.status) == ([("plots", "a.svg")], "succeeded")
    assert memory.datasets == {"rows": ("made up", "sha256:ab", 2)}
    lines = [load_json(line).value for line in (tmp_path / "told").read_bytes().splitlines()]
    assert lines[1:3] == [{"metrics": {"loss": 0.25}, "step": 3}, {"tags": {"why": "test"}}]
    assert lines[-2:] == [{"artifact": "a.svg", "folder": "plots"}, {"status": "succeeded"}]


def test_a_tracker_that_fails_at_the_end_is_let_go(tmp_path: Path) -> None:
    class Last(MemoryTracker):
        left = False

        def finish(self, status: str) -> None:
            raise OSError("gone")

        def leave(self) -> None:
            self.left = True

    tracker = Last()
    recorder = Recorder(tracker)
    recorder.finish("succeeded")
    assert (recorder.complete, tracker.left) == (False, True)


@pytest.mark.parametrize(
    ("asked", "setting", "environ", "to"),
    [
        ("", "", {}, "mlflow"),
        ("none", "files", {URI: "http://h"}, "none"),
        ("", "files", {URI: "http://h"}, "files"),
        ("", "", {URI: "http://h"}, "mlflow"),
        ("mlflow", "none", {}, "mlflow"),
    ],
)
def test_who_says_which_tracker(asked: str, setting: str, environ: dict[str, str], to: str) -> None:
    choice = choose(Settings(tracking_to=setting), environ, asked)
    assert (choice.to, choice.note) == (to, "")


def test_without_mlflow_nobody_has_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strata_git.runs.catalog._present", lambda module: module != "mlflow")
    choice = choose(Settings(), {})
    assert (choice.to, "pip install 'git-strata[runs]'" in choice.note) == ("files", True)
    assert choose(Settings(), {}, "none").note == ""
    for asked, setting, environ in (("mlflow", "", {}), ("", "mlflow", {}), ("", "", {URI: "http://h"})):
        with pytest.raises(MissingExtra):
            choose(Settings(tracking_to=setting), environ, asked)
    with pytest.raises(UsageError):
        choose(Settings(), {}, "wandb")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "the server cannot be reached: Connection refused"),
        (TimeoutError("timed out"), "the server did not answer in time"),
        (OSError("Max retries exceeded (Caused by ReadTimeoutError('Read timed out.'))"), "did not answer in time"),
        (
            RuntimeError("http://bob:pw@host/x is \x1b[31mred\nand more"),
            r"RuntimeError: http://***@host/x is \x1b[31mred",
        ),
        (PermissionError(13, "Permission denied", "/a"), "PermissionError: [Errno 13] Permission denied: '/a'"),
        (Later("not yet"), "not yet"),
    ],
)
def test_reasons_are_one_line_without_credentials(error: Exception, said: str) -> None:
    assert reason_of(error).endswith(said)


def test_a_queue_names_its_store_without_credentials(tmp_path: Path) -> None:
    environ = {URI: "postgresql://bob:pw@db.example.org/track"}
    assert Place.chosen(environ, tmp_path, "e").destination == "postgresql://db.example.org/track"
    assert Place.chosen({}, tmp_path, "e").destination == Place.chosen({}, tmp_path / "moved", "e").destination


def test_how_a_run_ended_is_what_its_record_says(tmp_path: Path) -> None:
    status_of = status_reader(tmp_path)
    for name, text in (("run-1", "status: failed\n"), ("run-2", "status: running\n"), ("run-3", "- 1\n")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.yaml").write_text(text)
    (tmp_path / ".strata/local/pending/run-4").mkdir(parents=True)
    names = ("run-1", "run-2", "run-3", "run-4", "run-4/t1", "run-5")
    assert [status_of(name) for name in names] == ["failed", "killed", "killed", None, None, "killed"]


@pytest.mark.parametrize(
    ("said", "busy"),
    [
        ("(sqlite3.OperationalError) database is locked", True),
        ("BAD_REQUEST: (psycopg.errors.UniqueViolation) duplicate key value violates unique constraint", True),
        ("INVALID_PARAMETER_VALUE: Changing param values is not allowed.", False),
    ],
)
def test_two_that_write_the_same_are_asked_again(said: str, busy: bool) -> None:
    assert is_busy(RuntimeError(said)) is busy
