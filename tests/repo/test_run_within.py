"""Commands that talk to strangers end in time, with all that they started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.repo.process import run_within

ENV = {"PATH": os.environ.get("PATH", os.defpath)}


def test_what_ends_by_itself(tmp_path: Path) -> None:
    done = run_within(["cat"], directory=tmp_path, env=ENV, seconds=20, most=100, input=b"given")
    assert (done.code, done.out, done.err) == (0, b"given", b"")
    assert run_within(
        ["sh", "-c", "echo fatal: no >&2; exit 7"], directory=tmp_path, env=ENV, seconds=20, most=99
    ).reason


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = "(sleep 1; touch late) & sleep 60"
    start = time.monotonic()
    with pytest.raises(StrataError, match=r"longer than 0\.3 seconds"):
        run_within(["sh", "-c", script], directory=tmp_path, env=ENV, seconds=0.3, most=100)
    assert time.monotonic() - start < 20
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_what_says_too_much_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="more than 1000 bytes"):
        run_within(
            ["sh", "-c", "while :; do echo aaaaaaaaaa; done"], directory=tmp_path, env=ENV, seconds=20, most=1000
        )


def test_what_a_watch_objects_to_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="enough"):
        run_within(["sleep", "60"], directory=tmp_path, env=ENV, seconds=20, most=10, watch=lambda: "enough")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="could not be started"):
        run_within(["no-such-program"], directory=tmp_path, env=ENV, seconds=1, most=10)
