"""What is told to a tracker arrives once, whatever the tracking store does meanwhile."""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from strata_git.runs.tracking_courier import Pace, QueueTracker
from strata_git.runs.tracking_queue import Writer, places, read_lines
from tests.runs.queues import Desk, MemoryStore, Shown, eventually


class Away(ConnectionError):
    """The store does not answer."""


def away(_: str) -> None:
    raise Away("connection refused")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, MemoryStore())


def tell(tracker: QueueTracker, folder: Path, seed: int = 0) -> None:
    """Everything a run may say."""
    tracker.log_params({"C": 0.5, "model": "forest"})
    tracker.log_input("iris@v1", source="datasets/iris/v1", digest="sha256:ab", rows=150)
    for step in range(5):
        tracker.log_metrics({"loss": 1 / (step + 1), "seed": float(seed)}, step)
    tracker.log_metric("final", 0.25)
    tracker.set_tags({"why": "test"})
    (folder / "plots").mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(b"weights %d" % seed)
    (folder / "plots/roc.png").write_bytes(b"png")
    tracker.log_artifacts(folder)


def whole(shown: Shown, seed: int = 0) -> None:
    """It has all of it, and nothing twice."""
    assert shown.params == {"C": "0.5", "model": "forest"}
    points = Counter((name, step, value) for name, step, value, _ in shown.points)
    expected = [("loss", step, 1 / (step + 1)) for step in range(5)] + [("seed", step, seed) for step in range(5)]
    assert points == Counter([*expected, ("final", 0, 0.25)])
    assert (shown.tags["why"], shown.data) == ("test", {("iris@v1", "sha256:ab")})
    assert shown.files == {"model.bin": b"weights %d" % seed, "plots/roc.png": b"png"}
    assert shown.status == "succeeded"


def told(desk: Desk, run: str, seed: int = 0, parent: str = "") -> None:
    """A run that said everything, its record in place, nothing sent."""
    tracker = desk.tracker(run, parent=parent)
    tell(tracker, desk.artifacts(run), seed)
    desk.publish(run)
    tracker.finish("succeeded")


def test_all_is_there_when_the_run_ends(desk: Desk) -> None:
    tracker = desk.tracker("run-1", deliver=True)
    tell(tracker, desk.artifacts("run-1"))
    desk.publish("run-1")
    tracker.finish("succeeded")
    whole(desk.store.by_name()["run-1"])
    assert (tracker.waiting, desk.left()) == ("", [])


def test_a_dead_store_costs_no_time_and_loses_nothing(desk: Desk) -> None:
    desk.store.fails = away
    begun = time.monotonic()
    tracker = desk.tracker("run-1", deliver=True)
    tell(tracker, desk.artifacts("run-1"))
    desk.publish("run-1")
    tracker.finish("succeeded")
    assert time.monotonic() - begun < 5
    assert "connection refused" in tracker.waiting
    assert [one.state for one in desk.sync()] == ["waiting"]
    desk.store.fails = lambda _: None
    assert [one.state for one in desk.sync()] == ["sent"]
    whole(desk.store.by_name()["run-1"])
    assert (desk.left(), desk.sync()) == ([], [])


def test_a_store_that_hangs_is_waited_for_no_longer_than_patience(desk: Desk) -> None:
    let_go = threading.Event()
    desk.store.fails = lambda _: let_go.wait(20) and None
    tracker = desk.tracker("run-1", deliver=True, pace=Pace(0, 0.01, patience=0.2))
    tell(tracker, desk.artifacts("run-1"))
    desk.publish("run-1")
    begun = time.monotonic()
    tracker.finish("succeeded")
    assert time.monotonic() - begun < 5
    assert tracker.waiting == "the tracking store has not answered in time"
    assert [one.state for one in desk.sync()] == ["working"]  # the thread still holds it
    let_go.set()
    eventually(lambda: desk.left() == [])
    whole(desk.store.by_name()["run-1"])


def test_a_database_that_others_hold_is_asked_again(desk: Desk) -> None:
    left = iter(range(3))

    def busy(_: str) -> None:
        if next(left, None) is not None:
            raise RuntimeError("busy")

    desk.store.fails = busy
    tracker = desk.tracker("run-1", deliver=True, pace=Pace(30, 0.01, 20))
    tell(tracker, desk.artifacts("run-1"))
    desk.publish("run-1")
    tracker.finish("succeeded")
    whole(desk.store.by_name()["run-1"])


@pytest.mark.parametrize("seed", range(25))
def test_failures_at_any_place_leave_everything_once(tmp_path: Path, seed: int) -> None:
    """Each call may fail before it did anything, or after it did all: the answer is lost. Senders come and go."""
    lot = random.Random(seed)
    desk = Desk(tmp_path, MemoryStore(lambda what: away(what) if lot.random() < 0.3 else None))
    for number in range(3):
        told(desk, f"run-{number}", number, parent="run-0" if number else "")
    for _ in range(200):
        if not desk.sync():
            break
    shown = desk.store.by_name()
    assert set(shown) == {"run-0", "run-1", "run-2"}
    for number in range(3):
        whole(shown[f"run-{number}"], number)
    above = next(name for name, run in desk.store.runs.items() if run.name == "run-0")
    assert [shown[f"run-{number}"].parent for number in range(3)] == ["", above, above]
    assert desk.left() == []


def test_two_senders_at_once_send_once(desk: Desk) -> None:
    for number in range(6):
        told(desk, f"run-{number}", number)
    desk.store.fails = lambda _: time.sleep(0.0005)
    senders = [threading.Thread(target=desk.sync) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    desk.sync()
    for number in range(6):
        whole(desk.store.by_name()[f"run-{number}"], number)
    assert Counter(desk.store.uploads) == {"model.bin": 6, "plots/roc.png": 6}
    assert desk.store.calls.count("create") == 6


def test_a_run_that_works_is_left_alone_by_others(desk: Desk) -> None:
    tracker = desk.tracker("run-1")
    tracker.log_params({"a": 1})
    assert [(one.run, one.state) for one in desk.sync()] == [("run-1", "working")]
    assert desk.store.runs == {}
    tracker.leave()


def test_a_killed_run_is_shown_as_its_record_says(desk: Desk) -> None:
    """The process died: nobody holds the queue, and nothing in it says how the run ended."""
    tracker = desk.tracker("run-1")
    tell(tracker, desk.artifacts("run-1"))
    tracker.leave()
    assert [one.state for one in desk.sync()] == ["working"]  # nobody recorded it yet
    assert desk.store.by_name()["run-1"].status == "running"
    desk.publish("run-1")
    desk.statuses["run-1"] = "killed"
    assert [one.state for one in desk.sync()] == ["sent"]
    shown = desk.store.by_name()["run-1"]
    assert (shown.status, len(shown.points), shown.files["model.bin"]) == ("killed", 11, b"weights 0")


@pytest.mark.parametrize("end", [b'{"op":"metr', b"\0" * 64, b'{"op":"end","status":', b"\xff\xfe\n{}\n[1]\n"])
def test_a_damaged_end_costs_no_more_than_itself(desk: Desk, end: bytes) -> None:
    tracker = desk.tracker("run-1")
    tell(tracker, desk.artifacts("run-1"))
    tracker.leave()
    desk.publish("run-1")
    desk.statuses["run-1"] = "succeeded"
    with open(desk.local / "tracking/run-1.jsonl", "ab") as stream:
        stream.write(end)
    assert [one.state for one in desk.sync()] == ["sent"]
    whole(desk.store.by_name()["run-1"])


def test_a_queue_without_its_beginning_is_set_aside_and_told(desk: Desk) -> None:
    told(desk, "run-1")
    told(desk, "run-2", 2)
    (desk.local / "tracking/run-1.jsonl").write_bytes(b"\0" * 4096 + b'\n{"op":"end"}\n')
    answers = {one.run: one for one in desk.sync()}
    assert (answers["run-1"].state, answers["run-1"].reason) == ("damaged", "kept as run-1.damaged")
    whole(desk.store.by_name()["run-2"], 2)
    assert desk.left() == ["run-1.damaged"]


def test_what_had_arrived_is_not_sent_again(desk: Desk) -> None:
    told(desk, "run-1")
    desk.store.fails = lambda what: away(what) if what == "end" else None
    desk.sync()
    desk.store.fails = lambda _: None
    desk.store.calls.clear()
    with open(desk.local / "tracking/run-1.sent", "ab") as stream:
        stream.write(b'{"offset":')  # cut off while it was written
    desk.sync()
    assert desk.store.calls == ["describe", "write", "written", "end", "ended"]
    whole(desk.store.by_name()["run-1"])


def test_a_store_that_was_emptied_gets_it_all_anew(desk: Desk) -> None:
    told(desk, "run-1")
    desk.store.fails = lambda what: away(what) if what == "end" else None
    desk.sync()
    desk.store = MemoryStore()
    assert [one.state for one in desk.sync()] == ["sent"]
    whole(desk.store.by_name()["run-1"])


def test_what_is_meant_for_another_store_waits_for_it(desk: Desk) -> None:
    told(desk, "run-1")
    (answer,) = desk.sync(destination="elsewhere")
    assert (answer.state, answer.reason, desk.store.runs) == ("waiting", "for there", {})
    assert [one.state for one in desk.sync(destination="elsewhere", elsewhere=True)] == ["sent"]


def test_a_dead_store_is_asked_twice_however_much_waits(desk: Desk) -> None:
    for number in range(9):
        told(desk, f"run-{number}")
    desk.store.fails = away
    assert [one.state for one in desk.sync()] == ["waiting"] * 9
    assert len(desk.store.calls) == 2


def test_parts_of_a_run_are_sent_by_the_run(desk: Desk) -> None:
    """What workers tell is only written there; whoever tracks the run sends it, under the run."""
    tracker = desk.tracker("run-1", deliver=True, pace=Pace(30, 0.01, 10))
    for number in range(3):
        part = desk.tracker(f"run-1/t{number}", parent="run-1", keep=True)
        folder = desk.artifacts(f"run-1/t{number}")
        tell(part, folder, number)
        for file in ("model.bin", "plots/roc.png"):
            (folder / file).unlink()  # a trial's own files are gone when it is sent
        part.finish("succeeded")
    tell(tracker, desk.artifacts("run-1"))
    desk.publish("run-1")
    tracker.finish("succeeded")
    shown = desk.store.by_name()
    for number in range(3):
        assert shown[f"run-1/t{number}"].parent == "id0"
        whole(shown[f"run-1/t{number}"], number)
    assert desk.left() == []


def test_a_part_waits_for_a_run_that_has_not_arrived(desk: Desk) -> None:
    above = desk.tracker("run-1")
    told(desk, "run-2", parent="run-1")
    assert [(one.run, one.state) for one in desk.sync()] == [("run-1", "working"), ("run-2", "waiting")]
    above.finish("succeeded")
    assert [one.state for one in desk.sync()] == ["sent", "sent"]
    assert desk.store.by_name()["run-2"].parent == "id0"


def test_a_file_is_sent_as_it_is_last_and_only_when_it_differs(desk: Desk) -> None:
    tracker = desk.tracker("run-1")
    place = desk.artifacts("run-1") / "checkpoint.bin"
    for epoch in range(5):
        place.write_bytes(b"epoch %d" % epoch)
        tracker.log_artifact(place)
    os.symlink("/etc/hostname", place.with_name("link"))
    tracker.log_artifacts(place.parent)
    desk.publish("run-1")
    tracker.finish("succeeded")
    desk.sync()
    assert desk.store.by_name()["run-1"].files == {"checkpoint.bin": b"epoch 4"}
    assert desk.store.uploads == ["checkpoint.bin"]


def test_a_file_that_is_gone_is_told_and_keeps_nothing_back(desk: Desk) -> None:
    tracker = desk.tracker("run-1")
    (desk.artifacts("run-1") / "a").write_bytes(b"a")
    tracker.log_artifacts(desk.artifacts("run-1"))
    (desk.artifacts("run-1") / "a").unlink()
    tracker.finish("failed")
    (answer,) = desk.sync()
    assert (answer.state, answer.refused) == ("sent", ("a is no longer there",))
    assert desk.store.by_name()["run-1"].status == "failed"


def test_the_first_value_of_a_setting_stands_the_last_of_a_label(desk: Desk) -> None:
    tracker = desk.tracker("run-1")
    for value in "ab":
        tracker.log_params({"p": value})
        tracker.set_tags({"t": value})
    tracker.finish("succeeded")
    desk.sync()
    shown = desk.store.by_name()["run-1"]
    assert (shown.params["p"], shown.tags["t"]) == ("a", "b")


def test_the_queue_is_held_before_anybody_sees_it(desk: Desk) -> None:
    writer = Writer(desk.local, desk.begin("run-1"))
    (place,) = places(desk.local)
    assert place.hold() is None
    with open(place.queue, "rb") as stream, pytest.raises(BlockingIOError):
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    writer.close()
    handle = place.hold()
    assert handle is not None
    os.close(handle)


def test_a_full_disk_leaves_whole_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = desk.tracker("run-1")
    tracker.log_params({"a": "1"})
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) > 100:
            write(handle, bytes(data)[:50])
            raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        tracker.log_params({"long": "x" * 200})
    monkeypatch.undo()
    tracker.log_params({"b": "2"})
    tracker.finish("succeeded")
    desk.sync()
    assert desk.store.by_name()["run-1"].params == {"a": "1", "b": "2"}


def test_a_line_is_read_when_all_of_it_is_there(desk: Desk) -> None:
    tracker = desk.tracker("run-1")
    tracker.log_params({"a": "1"})
    tracker.leave()
    (place,) = places(desk.local)
    with open(place.queue, "ab", buffering=0) as stream:
        stream.write(b'{"op":"params","val')
        lines, offset = read_lines(place.queue, 0)
        assert [line["op"] for line in lines] == ["begin", "params"]
        stream.write(b'ues":{"b":"2"}}\n')
    assert read_lines(place.queue, offset)[0] == [{"op": "params", "values": {"b": "2"}}]


def test_a_queue_that_was_sent_while_one_waited_for_it_is_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told(desk, "run-1")
    (place,) = places(desk.local)
    flock = fcntl.flock

    def late(handle: int, how: int) -> None:
        place.queue.unlink(missing_ok=True)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert place.hold() is None


def test_what_other_runs_left_does_not_hold_a_run_up(desk: Desk) -> None:
    """Its own and its parts arrive; the rest has a moment, and then the next run's."""
    for number in range(3):
        told(desk, f"run-0{number}", number)
    tracker = desk.tracker("run-1", deliver=True, pace=Pace(30, 0.05, 20))
    tell(tracker, desk.artifacts("run-1"))
    told(desk, "run-2", 2, parent="run-1")
    desk.publish("run-1")
    let_go = threading.Event()
    desk.store.fails = lambda _: len(desk.store.runs) > 2 and let_go.wait(60) and None
    begun = time.monotonic()
    tracker.finish("succeeded")
    assert time.monotonic() - begun < 15
    shown = {run.name: run for run in list(desk.store.runs.values())}
    whole(shown["run-1"])
    whole(shown["run-2"], 2)
    assert tracker.waiting == ""
    let_go.set()
    eventually(lambda: desk.left() == [])
    assert len(desk.store.by_name()) == 5
