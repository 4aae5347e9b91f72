"""Sweeps in processes of their own that are stopped, killed, or lose a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs.running import pending, record_of, visible
from tests.runs.sweeps.hill import experiment, files, log, spec, sweep, trials
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite started in the background ignores it
from strata_git.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
WORDS = ("sweep", "experiments/hill.yaml", "--jobs", "2", "--tracking", "none", "--set", "params.nap=0.1")


def at_work(repo: RepositoryBuilder, *words: str, ended: int = 3) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A sweep of which so many trials have ended, and the workers it has."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *(words or WORDS)], cwd=repo.path, env=repo.environ, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    for _ in range(1200):
        for journal in (repo.path / ".strata/local/pending").glob("*/record/artifacts/journal.jsonl"):
            if journal.read_bytes().count(b"\n") >= ended:
                return process, children(process.pid)
        if process.poll() is not None:
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(process.communicate(timeout=60))


def children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(word) for path in listed for word in path.read_text().split()]


def gone(processes: list[int], seconds: float = 10) -> bool:
    """Whether none of them is there any more, sooner or later."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(_lives(one) for one in processes):
            return True
        time.sleep(0.1)
    return False


def _lives(process: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return False


def test_workers_that_had_no_work_yet_do_not_outlive_their_sweep(repo: RepositoryBuilder) -> None:
    repo.write(
        {"experiments/hill.yaml": experiment({"nap": 30}, parameters={"params.x": {"low": 0, "high": 1, "step": 1}})}
    )
    repo.commit("Two long trials")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *WORDS[:2], "--jobs", "4", "--tracking", "none"], cwd=repo.path,
        env=repo.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    workers: list[int] = []
    for _ in range(3000):
        if len(workers) > 4 or process.poll() is not None:
            break
        time.sleep(0.02)
        workers = children(process.pid)
    process.kill()
    told = process.communicate(timeout=60)  # what they hold open is let go: loky itself lets them wait for 300 s
    assert len(workers) > 4, told
    assert gone(workers)


@pytest.mark.parametrize("engine", ["loky", "dask"])
def test_workers_of_an_engine_do_not_outlive_who_started_them(engine: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom strata_git.runs.engines import calling\n"
        "if __name__ == '__main__':\n"
        f" with calling({engine!r}, 3, '', Path({str(tmp_path)!r})) as call:\n"
        "  print(call(abs, -1), flush=True)\n  sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        workers = children(process.pid)
        process.kill()
        process.communicate(timeout=8)  # whatever they hold open is let go: loky itself lets these wait for 10 s
        assert len(workers) >= 3
        assert gone(workers)


def longer(repo: RepositoryBuilder) -> None:
    parameters = {"params.x": {"low": 0, "high": 19, "step": 1}}
    repo.write({"experiments/hill.yaml": experiment(parameters=parameters)})
    repo.commit("A longer one")


def test_a_killed_sweep_goes_on_without_repeating_what_was_done(repo: RepositoryBuilder) -> None:
    longer(repo)
    process, workers = at_work(repo)
    process.kill()
    process.communicate(timeout=60)
    assert len(workers) >= 2
    assert gone(workers)  # nobody goes on computing for a sweep that is no more
    (early,) = pending(repo)

    told = repo.strata("sweep", "--resume", early, *WORDS[2:]).expect(0)
    done, best = visible(repo)[1:]
    assert (record_of(repo, early).status, record_of(repo, done).status) == ("killed", "succeeded")
    left = files(repo, early)
    journal = [json.loads(line) for line in left["journal.jsonl"].splitlines()]
    assert 3 <= len(journal) < 20
    first = max(journal, key=lambda one: (one["metrics"]["val_height"], -one["trial"]))["trial"]
    lost = not any(path.startswith(f"trials/{first:04d}/") for path in left)  # killed just before its files were kept
    assert log(repo, done).count(" succeeded after ") == 20 - len(journal) + lost
    assert "20 trials, 0 failed" in told.out
    whole = sweep(repo, spec({"nap": 0.1}, parameters={"params.x": {"low": 0, "high": 19, "step": 1}}))
    assert files(repo, whole.id) == files(repo, done)
    assert files(repo, best)["model.bin"] == b"3"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", ["loky", "none"])
def test_a_stopped_sweep_says_so_and_how_to_go_on(repo: RepositoryBuilder, number: signal.Signals, engine: str) -> None:
    longer(repo)
    process, workers = at_work(repo, *WORDS, "--engine", engine)
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, b"Traceback" in err + out) == (130, False)
    (early,) = visible(repo)
    record = record_of(repo, early)
    assert (record.status, record.error) == ("interrupted", f"interrupted by {number.name}")
    assert f"git strata sweep --resume {early}".encode() in err
    assert (pending(repo), gone(workers)) == ([], True)
    assert len(trials(repo, early)) >= 3


def test_a_trial_that_takes_its_process_along_has_failed_alone(repo: RepositoryBuilder) -> None:
    repo.write({"experiments/hill.yaml": experiment({"deadly": [1, 4]})})
    repo.strata("sweep", "experiments/hill.yaml", "--jobs", "2", "--tracking", "none", "--records", "all").expect(0)
    rows = trials(repo, visible(repo)[0])
    assert [row["trial"] for row in rows if row["status"] == "failed"] == [1, 4]
    assert "its process died" in rows[1]["error"]
    assert len(visible(repo)) == 7
