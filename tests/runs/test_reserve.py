"""Numbers are taken once, whoever asks, and a dead run's number is known by its lock."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from strata_git.errors import StrataError
from strata_git.runs.reserve import dead_runs, publish, reserve
from tests.runs.running import NOON, opened, pending
from tests.support.builder import RepositoryBuilder


def test_the_next_number_is_above_work_tree_head_and_pending(repo: RepositoryBuilder) -> None:
    assert reserve(opened(repo), NOON).id == "run-2026-11-21-001"
    assert reserve(opened(repo), NOON).id == "run-2026-11-21-002"
    (repo.path / "runs/run-2026-11-21-007").mkdir(parents=True)
    assert reserve(opened(repo), NOON).id == "run-2026-11-21-008"
    repo.write({"runs/run-2026-11-21-011/run.yaml": "x"}).commit()
    repo.delete("runs/run-2026-11-21-011/run.yaml")
    assert reserve(opened(repo), NOON).id == "run-2026-11-21-012"


def test_days_are_utc_and_numbers_grow_past_three_digits(repo: RepositoryBuilder) -> None:
    (repo.path / "runs/run-2026-11-22-999").mkdir(parents=True)
    evening = datetime(2026, 11, 21, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert reserve(opened(repo), evening.astimezone(UTC)).id == "run-2026-11-22-1000"


def test_many_threads_get_many_numbers(repo: RepositoryBuilder) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = [one.id for one in pool.map(lambda _: reserve(opened(repo), NOON), range(24))]
    assert sorted(taken) == [f"run-2026-11-21-{number:03d}" for number in range(1, 25)]


def test_a_live_run_is_not_dead_and_a_released_one_leaves_nothing(repo: RepositoryBuilder) -> None:
    held = reserve(opened(repo), NOON)
    assert dead_runs(opened(repo)) == []
    held.release()
    assert pending(repo) == []


def test_a_process_that_ends_without_a_word_is_found(repo: RepositoryBuilder) -> None:
    code = (
        "import os, sys; from pathlib import Path; from datetime import *;"
        "from strata_git.repo.command import Repository; from strata_git.runs.reserve import reserve;"
        "reserve(Repository.discover(Path('.'), os.environ), datetime(2026, 11, 21, tzinfo=UTC)); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=repo.path, env=repo.environ, check=False)
    assert [one.id for one in dead_runs(opened(repo))] == ["run-2026-11-21-001"]


def test_a_name_that_appeared_meanwhile_is_never_replaced(repo: RepositoryBuilder) -> None:
    held = reserve(opened(repo), NOON)
    (repo.path / "runs" / held.id).mkdir(parents=True)
    with pytest.raises(StrataError, match="appeared while"):
        publish(held, repo.path)
    assert held.record.is_dir()


def test_the_local_folder_ignores_itself(repo: RepositoryBuilder) -> None:
    repo.delete(".gitignore").commit()
    reserve(opened(repo), NOON)
    assert repo.git("status", "--porcelain") == ""
