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


def test_no_branch_no_work_tree_and_no_kept_tree_shares_a_number(repo: RepositoryBuilder) -> None:
    def next_number(place: RepositoryBuilder = repo) -> int:
        held = reserve(opened(place), NOON)
        held.release()
        return int(held.id[-3:])

    assert next_number() == 1
    repo.git("checkout", "--quiet", "-b", "side")
    repo.write({"runs/run-2026-11-21-004/run.yaml": "x", "runs/run-2026-11-20-900/run.yaml": "x"}).commit()
    repo.git("checkout", "--quiet", "-")
    assert next_number() == 5
    repo.git("update-ref", "refs/remotes/origin/x", repo.git("commit-tree", "side^{tree}", "-m", "x"))
    repo.git("branch", "-D", "--quiet", "side")
    assert next_number() == 5
    repo.git("update-ref", "refs/strata/runs/run-2026-11-21-007", "HEAD")
    assert next_number() == 8
    repo.git("worktree", "add", "--quiet", "--detach", str(repo.path.with_name("second")))
    second = RepositoryBuilder(repo.path.with_name("second"), repo.environ)
    (second.path / "runs/run-2026-11-21-010").mkdir(parents=True)
    assert next_number() == 11
    held = reserve(opened(second), NOON)
    assert (held.id[-3:], next_number()) == ("011", 12)
    (repo.path / "runs/run-2026-11-21-020").mkdir(parents=True)
    assert next_number(second) == 21


@pytest.mark.heavy
def test_work_trees_take_numbers_by_turns(repo: RepositoryBuilder) -> None:
    places = [repo]
    for name in ("second", "third"):
        repo.git("worktree", "add", "--quiet", "--detach", str(repo.path.with_name(name)))
        places.append(RepositoryBuilder(repo.path.with_name(name), repo.environ))
    with ThreadPoolExecutor(6) as pool:
        taken = [one.id for one in pool.map(lambda at: reserve(opened(places[at % 3]), NOON), range(12))]
    assert sorted(taken) == [f"run-2026-11-21-{number:03d}" for number in range(1, 13)]
