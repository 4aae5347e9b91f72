"""All that is said while a run works ends in its log, line by line, and nothing of it anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from strata_git.runs.capture import Log, captured
from strata_git.runs.masking import MASKED, Mask

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
KEY = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END PRIVATE KEY-----"


def lines(path: Path) -> list[str]:
    """What was said, without the times."""
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "logs.txt", Mask(["the-secret-value"]))


def test_descriptors_and_children_are_heard_too(log: Log, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with captured(log):
        os.write(1, b"native\n")
        os.write(2, b"half a ")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        os.write(2, b"line")
    log.close()
    assert sorted(lines(tmp_path / "logs.txt")) == ["err half a line", "out from a child", "out native"]
    os.write(1, b"mine again\n")
    assert capfd.readouterr() == ("mine again\n", "")


def test_more_than_a_pipe_holds_does_not_stop_whoever_writes_it(log: Log, tmp_path: Path) -> None:
    with captured(log):
        for _ in range(300):
            os.write(1, b"z" * 1023 + b"\n")
    log.close()
    assert len(lines(tmp_path / "logs.txt")) == 300


def test_a_value_in_pieces_is_masked_and_bytes_that_are_no_text_are_shown(log: Log, tmp_path: Path) -> None:
    with captured(log):
        print("a the-sec", end="")
        print("ret-value b")
        os.write(1, b"\xff and \xe2\x82")
        os.write(1, b"\xac\n")
        sys.stdout.write("10%\r50%\rthe-secret-value\n")
    log.close()
    assert lines(tmp_path / "logs.txt") == [f"out a {MASKED} b", f"out {MASKED}", "out \N{REPLACEMENT CHARACTER} and €"]


@pytest.mark.parametrize("at", [7980, 7995, 7999, 8000, 8010, 9010])
def test_a_secret_at_the_cut_of_a_long_line_is_not_half_shown(log: Log, tmp_path: Path, at: int) -> None:
    with captured(log):
        print("x" * at + "the-secret-value" + "y" * 5000)
        print("x" * at + "the-secret-value" + "y" * 200_000)
    log.close()
    for line in lines(tmp_path / "logs.txt"):
        assert line.endswith(" [cut]")
        assert len(line) < 8100
        assert "the-s" not in line


def test_an_endless_line_takes_bounded_memory(log: Log, tmp_path: Path) -> None:
    with captured(log):
        for _ in range(100):
            sys.stdout.write("w" * 100_000)
        assert len(sys.stdout._rest) < 20_000  # type: ignore[attr-defined]
    log.close()
    assert len((tmp_path / "logs.txt").read_bytes()) < 10_000


@pytest.mark.parametrize("whole", [True, False])
def test_of_a_private_key_no_line_is_left(log: Log, tmp_path: Path, whole: bool) -> None:
    with captured(log):
        for part in [KEY] if whole else KEY.splitlines():
            print(part)
        print("after")
        print("text on -----BEGIN RSA PRIVATE KEY----- blocks")
        print("goes on, with words.")
    log.close()
    told = lines(tmp_path / "logs.txt")
    assert BODY not in "".join(told)
    assert told[-3:] == ["out after", f"out text on {MASKED}", "out goes on, with words."]


def test_another_thread_takes_only_pythons_streams(log: Log, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def work() -> None:
        with captured(log):
            print("said")
            os.write(1, b"outside\n")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    log.close()
    assert lines(tmp_path / "logs.txt") == ["out said"]
    assert capfd.readouterr().out == "outside\n"


def test_a_full_disk_loses_lines_and_not_the_run(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        closed, name = False, "logs.txt"

        def write(self, _: str = "") -> None:
            raise OSError(28, "No space left on device")

        flush = write

    log.close()
    monkeypatch.setattr(log, "_stream", Full())
    log.write("out", "lost")
