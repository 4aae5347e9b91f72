"""A push waits for the one before it, and for nothing else."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.hooks.turns import LOCK, turn
from strata_git.repo.command import Repository
from tests.support.fixtures import Builder

MAIN = "refs/heads/main"


@pytest.fixture
def repo(builder: Builder) -> Repository:
    made = builder()
    made.commit()
    return made.repository()


def test_one_at_a_time(repo: Repository) -> None:
    with (
        turn(repo, os.getpid()),
        pytest.raises(StrataError, match="turn did not come"),
        turn(repo, os.getpid(), patience=0.1),
    ):
        pass
    with turn(repo, os.getpid(), patience=0.1):
        pass


def test_what_was_let_happen_is_waited_for(repo: Repository) -> None:
    """The hook is over, its receiver still runs, the reference is not there yet."""
    head = repo.head()
    assert head is not None
    with turn(repo, os.getpid()) as let:
        let({"refs/heads/new": head})
    with pytest.raises(StrataError), turn(repo, os.getpid(), patience=0.1):
        pass
    repo.git("update-ref", "refs/heads/new", head)
    with turn(repo, os.getpid(), patience=0.1) as let:
        let({"refs/heads/new": repo.null_oid})
    repo.git("update-ref", "-d", "refs/heads/new")
    with turn(repo, os.getpid(), patience=0.1):
        pass


def test_a_receiver_that_ended_is_not_waited_for(repo: Repository) -> None:
    with subprocess.Popen(["sleep", "60"]) as receiver:
        with turn(repo, receiver.pid) as let:
            let({"refs/heads/never": "1" * 40})
        begun = time.monotonic()
        with pytest.raises(StrataError), turn(repo, os.getpid(), patience=0.1):
            pass
        receiver.kill()
        receiver.wait()
        with turn(repo, os.getpid(), patience=5):
            pass
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "begun": "y", "refs": {"a": "b"}}', "\0"])
def test_a_damaged_note_is_nobodys(repo: Repository, text: str) -> None:
    path = repo.common_dir / LOCK
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with turn(repo, os.getpid(), patience=0.1):
        pass


def test_where_nothing_can_be_written_nobody_waits(repo: Repository) -> None:
    (repo.common_dir / "strata").write_text("in the way")
    with turn(repo, os.getpid(), patience=0.1) as let, turn(repo, os.getpid(), patience=0.1):
        let({MAIN: "1" * 40})


def test_a_link_in_the_locks_place_is_not_followed(repo: Repository, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (repo.common_dir / LOCK).parent.mkdir(exist_ok=True)
    (repo.common_dir / LOCK).symlink_to(target)
    with turn(repo, os.getpid(), patience=0.1) as let:
        let({MAIN: "1" * 40})
    assert target.read_text() == "precious"
