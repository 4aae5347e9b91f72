"""What a run may take is bounded, and exceeding it is said in words."""

from __future__ import annotations

import os
import resource
import signal
import threading

import pytest

from strata_git.errors import StrataError
from strata_git.runs import limits
from tests.runs.running import log_of, perform, probe, record_of
from tests.support.builder import RepositoryBuilder


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(30)", "while True:\n try:\n  x = 1\n except Exception: pass"]
)
def test_a_time_limit_ends_a_run_as_failed(probed: RepositoryBuilder, code: str) -> None:
    before = signal.getsignal(signal.SIGALRM)
    done = perform(probed, probe(code, resources={"time_limit_s": 0.2}))
    assert (done.status, done.error) == ("failed", "the time limit of 0.2 s (resources.time_limit_s) was reached")
    assert record_of(probed, done.id).status == "failed"
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_work_that_ends_in_time_is_not_disturbed(probed: RepositoryBuilder) -> None:
    assert perform(probed, probe(resources={"time_limit_s": 60})).status == "succeeded"


def test_memory_is_bounded_while_the_plugin_works(probed: RepositoryBuilder) -> None:
    held = limits._allocated()
    assert held is not None
    limit = (held >> 20) + 200
    before = resource.getrlimit(resource.RLIMIT_DATA)
    done = perform(probed, probe("x = bytearray(600 << 20)", resources={"memory_mb": limit}))
    assert (done.status, done.error) == (
        "failed",
        f"MemoryError: no more than {limit} MB may be allocated (resources.memory_mb)",
    )
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    done = perform(probed, probe(resources={"memory_mb": 1}))
    assert "resources.memory_mb is 1, and the process holds" in (done.error or "")


def test_threads_and_devices_are_bounded_by_the_switches_libraries_read(probed: RepositoryBuilder) -> None:
    names = "('OMP_NUM_THREADS', 'LOKY_MAX_CPU_COUNT', 'CUDA_VISIBLE_DEVICES')"
    code = f"import os; print(*(os.environ.get(name) for name in {names}))"
    before = dict(os.environ)
    done = perform(probed, probe(code, resources={"cpus": 1, "gpus": 0}))
    assert "out 1 1 -1\n" in log_of(probed, done)
    assert dict(os.environ) == before
    assert record_of(probed, done.id)
    assert b"cpus: 1" in probed.read(f"{done.path}/config.yaml")


def test_libraries_that_are_loaded_are_bounded_too() -> None:
    numpy = pytest.importorskip("numpy")
    threadpoolctl = pytest.importorskip("threadpoolctl")
    numpy.ones((2, 2)) @ numpy.ones((2, 2))
    with limits.processors({"cpus": 1}):
        assert {one["num_threads"] for one in threadpoolctl.threadpool_info()} <= {1}


@pytest.mark.parametrize("asked", [{"cpus": 100_000}, {"gpus": 999}])
def test_more_than_there_is_is_refused_before_the_run_has_a_number(
    probed: RepositoryBuilder, asked: dict[str, int]
) -> None:
    with pytest.raises(StrataError, match="asks for"):
        perform(probed, probe(resources=asked))
    assert not (probed.path / ".strata/local").exists()


def test_a_limit_that_cannot_be_kept_is_told() -> None:
    told: list[str] = []
    thread = threading.Thread(target=lambda: limits.work({"time_limit_s": 1}, told.append).__enter__())
    thread.start()
    thread.join()
    assert told == ["resources.time_limit_s is not enforced: the run is not in its process's main thread"]
