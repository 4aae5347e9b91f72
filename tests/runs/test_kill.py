"""A killed run leaves nothing half done under runs/, and the next run puts it on record."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strata_git.contracts.run import RunMetrics
from strata_git.load import load_json
from tests.runs.running import opened, pending, perform, record_of, spec, visible
from tests.support.builder import RepositoryBuilder

SLEEPER = """
import os, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite started by nohup, or in the background, ignores them
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from strata_git.config import Settings
from strata_git.repo.command import Repository
from strata_git.runs.execute import execute
from strata_git.runs.spec import RunSpec
here = Repository.discover(Path('.'), os.environ)
spec = RunSpec('toy', 'toy', params={'mode': 'sleep'})
done = execute(here, Settings(), spec, os.environ, open_tracker=lambda _: None)
print(done.status)
"""


def asleep(repo: RepositoryBuilder) -> tuple[subprocess.Popen[bytes], str]:
    """A run in a process of its own that has begun to work, and its id."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], cwd=repo.path, env=repo.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for _ in range(400):
        for log in (repo.path / ".strata/local/pending").glob("*/record/logs.txt"):
            if b"asleep" in log.read_bytes():
                return process, log.parts[-3]
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> bytes:
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    return out


def test_the_next_run_records_a_killed_one(repo: RepositoryBuilder) -> None:
    process, run = asleep(repo)
    during = perform(repo)  # while it lives it is left alone
    end(process, signal.SIGKILL)
    assert (during.killed, visible(repo), pending(repo)) == ((), [during.id], [run])
    after = perform(repo)
    record = record_of(repo, run)
    assert after.killed == (run,)
    assert (record.status, record.finished) == ("killed", None)
    assert "killed" in (record.error or "")
    assert [one.path for one in record.outputs] == ["artifacts/note.txt"]
    assert load_json(repo.read(f"runs/{run}/metrics.json")).value == {}
    assert "asleep" in repo.read(f"runs/{run}/logs.txt").decode()
    assert pending(repo) == []


def test_a_killed_runs_artifacts_are_found_below_their_root(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.environ["CORE_ARTIFACT_ROOT"] = str(tmp_path / "root")
    process, run = asleep(repo)
    end(process, signal.SIGKILL)
    perform(repo)
    assert [one.path for one in record_of(repo, run).outputs] == ["artifacts/note.txt"]
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_asked_run_stops_at_once_and_says_so(repo: RepositoryBuilder, number: signal.Signals) -> None:
    process, run = asleep(repo)
    assert end(process, number) == b"interrupted\n"
    record = record_of(repo, run)
    assert (record.status, record.error) == ("interrupted", f"interrupted by {number.name}")
    assert pending(repo) == []


def test_a_run_killed_between_reservation_and_beginning_leaves_nothing(repo: RepositoryBuilder) -> None:
    place = repo.path / ".strata/local/pending/run-2026-11-21-001"
    (place / "record").mkdir(parents=True)
    done = perform(repo)
    assert (done.id, done.killed) == ("run-2026-11-21-001", ())
    assert pending(repo) == []


@pytest.mark.parametrize("step", ["collect", "close", "seal", "publish", "release"])
def test_death_at_any_step_of_closing_leaves_a_whole_record(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from strata_git.runs import execute, record, reserve

    class Death(BaseException):
        """As sudden as a power cut: nothing after it runs."""

    def die(*_: object, **__: object) -> None:
        raise Death

    place = {"publish": execute, "release": reserve.Reservation}.get(step, record)
    with monkeypatch.context() as patch:
        patch.setattr(place, step, die)
        with pytest.raises(Death):
            perform(repo, spec("model"))
    assert visible(repo) in ([], ["run-2026-11-21-001"] if step == "release" else [])
    perform(repo)
    whole = record_of(repo, "run-2026-11-21-001")
    assert whole.status == "succeeded"  # the work was done, and how it ended was noted before its record was closed
    assert RunMetrics.model_validate(load_json(repo.read("runs/run-2026-11-21-001/metrics.json")).value).root
    assert opened(repo).head() == repo.head
