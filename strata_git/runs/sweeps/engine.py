"""Where trials are computed: in this process, in processes of this machine, on a Dask or a Ray cluster.

All but the first are joblib's backends; the code that is run is the same function on the same values everywhere. Ray
and Dask are told not to telephone home, and open no page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from strata_git.errors import MissingExtra, StrataError, UsageError, printable
from strata_git.runs.sweeps.trial import Ended
from strata_git.runs.sweeps.work import Task, lost, work

_NEEDS = {"loky": ("sweep", "joblib"), "dask": ("dask", "distributed"), "ray": ("ray", "ray")}
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_ROUNDS = 4
"""Trials a worker that Ray is handed at once: its joblib backend gives results back all together."""
_PATIENCE = "20s"
_HERE = "127.0.0.1"

Run = Callable[[Sequence[Task]], Iterator[Ended]]
"""Makes trials and yields what came of each as it ends, in any order."""


def require_engine(name: str, jobs: int | None, scheduler: str) -> None:
    """Raise UsageError for what cannot be asked of an engine, MissingExtra for one that is not installed."""
    from importlib.util import find_spec

    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least one trial is made at a time.")
    if scheduler and name not in ("dask", "ray"):
        raise UsageError("--scheduler goes with --engine dask or ray.")
    for extra, module in dict.fromkeys(_NEEDS[one] for one in (name, "loky") if one != "none" and name != "none"):
        if find_spec(module) is None:
            raise MissingExtra(extra, f"The engine '{name}'")


@contextmanager
def started(name: str, jobs: int | None, scheduler: str, scratch: Path, threads: int = 1) -> Iterator[Run]:
    """The engine `name` with `jobs` trials at a time (None: as many as fit, with `threads` each), and gone afterwards.

    `scheduler` is the address of a cluster that is there already; without one, Dask and Ray begin one on this machine.
    `scratch` is a directory for what an engine must put somewhere. Raises StrataError for a cluster out of reach.
    """
    count = jobs or max(1, _processors() // threads)
    if name == "none" or (name == "loky" and count == 1):
        yield lambda tasks: map(work, tasks)
        return
    with ExitStack() as stack:
        if name == "loky":
            stack.callback(_end_loky)
        elif name == "dask":
            stack.enter_context(_dask(count, scheduler, scratch))
        else:
            stack.enter_context(_ray(count, scheduler))
        yield _joblib(name, count if jobs or not scheduler else -1, stack)


def _processors() -> int:
    """Those this process may use, where a control group leaves fewer no more than that."""
    from strata_git.runs.system import cpu_facts

    facts = cpu_facts()
    shares = [share for share in (facts["usable"], facts["limit"]) if isinstance(share, int | float)]
    return max(1, int(min(shares, default=1)))


def _joblib(name: str, jobs: int, stack: ExitStack) -> Run:
    """joblib's own loop over a backend; results come one by one where the backend can, else by small rounds."""
    from joblib import Parallel, delayed, parallel_config

    def told(tasks: Iterable[Task], **how: Any) -> Any:
        with parallel_config(backend=name, n_jobs=jobs):
            return Parallel(batch_size=1, **how)(delayed(work)(task) for task in tasks)

    def streamed(tasks: Sequence[Task]) -> Iterator[Ended]:
        with closing(told(tasks, return_as="generator_unordered", pre_dispatch="2*n_jobs")) as results:
            yield from results

    if name == "loky":
        return lambda tasks: _surviving(streamed, tasks, 2 * jobs)
    if name != "ray":
        return streamed
    with parallel_config(backend=name, n_jobs=jobs):
        pool = stack.enter_context(Parallel(batch_size=1))

    def in_rounds(tasks: Sequence[Task]) -> Iterator[Ended]:
        size = _ROUNDS * max(1, int(pool._effective_n_jobs()))  # noqa: SLF001 - joblib has no other word for it
        for start in range(0, len(tasks), size):
            yield from pool(delayed(work)(task) for task in tasks[start : start + size])

    return in_rounds


def _surviving(run: Run, tasks: Sequence[Task], at_work: int) -> Iterator[Ended]:
    """What `run` yields, whatever happens to its workers.

    When one dies (killed for its memory, a library's crash), all trials at work are lost with it, `at_work` at most.
    They are made again, each alone, and the one that kills its worker once more has failed.
    """
    left = {task.trial.index: task for task in tasks}
    while left:
        try:
            for one in run(list(left.values())):
                del left[one.index]
                yield one
        except BrokenProcessPool:
            for task in list(left.values())[:at_work]:
                del left[task.trial.index]
                yield _alone(task)


def _alone(task: Task) -> Ended:
    from joblib.externals.loky import ProcessPoolExecutor

    with ProcessPoolExecutor(max_workers=1) as alone:
        try:
            ended: Ended = alone.submit(work, task).result()
        except BrokenProcessPool as broken:
            codes = re.search(r"\{([A-Z]+)\(", str(broken))
            sign = f" ({codes[1]})" if codes else ""
            return lost(task, f"its process died{sign}: out of memory, or a library's crash")
    return ended


def _end_loky() -> None:
    """Let no worker wait for more work after the sweep, whatever became of it."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextmanager
def _dask(jobs: int, scheduler: str, scratch: Path) -> Iterator[None]:
    import logging

    import dask
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        if not scheduler:
            quiet: dict[str, Any] = {f"distributed.{part}.http.routes": [] for part in ("scheduler", "worker")}
            stack.enter_context(dask.config.set(quiet))
            cluster = stack.enter_context(
                LocalCluster(  # type: ignore[no-untyped-call]
                    n_workers=jobs, threads_per_worker=1, processes=True, host=_HERE, dashboard_address=f"{_HERE}:0",
                    worker_dashboard_address=f"{_HERE}:0", local_directory=str(scratch), silence_logs=logging.CRITICAL,
                )
            )  # fmt: skip
            stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        else:
            try:
                stack.enter_context(Client(scheduler, timeout=_PATIENCE))  # type: ignore[no-untyped-call]
            except (OSError, ValueError, TimeoutError) as error:
                raise _unreached("Dask scheduler", scheduler, error) from error
        yield


@contextmanager
def _ray(jobs: int, scheduler: str) -> Iterator[None]:
    os.environ.update(_QUIET)
    import logging

    import ray
    from ray.util.joblib import register_ray

    quiet: dict[str, Any] = {}
    if not scheduler:
        quiet = {"include_dashboard": False, "num_cpus": jobs, "_node_ip_address": _HERE}
    for last in (False, False, True):
        try:
            ray.init(address=scheduler or "local", logging_level=logging.ERROR, log_to_driver=False, **quiet)
            break
        except Exception as error:  # Ray raises Exception itself, when a busy machine takes it too long to begin
            ray.shutdown()
            if last or scheduler:
                raise _unreached("Ray cluster", scheduler or "on this machine", error) from error
    try:
        register_ray()  # type: ignore[no-untyped-call]
        yield
    finally:
        ray.shutdown()


def _unreached(what: str, address: str, error: BaseException) -> StrataError:
    reason = printable(str(error).split("\n", 1)[0][:200]).rstrip(".")
    return StrataError(
        f"The {what} {printable(address)} cannot be used: {reason}.",
        hint="Check --scheduler, or leave it out to use this machine.",
    )
