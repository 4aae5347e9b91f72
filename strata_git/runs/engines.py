"""Clusters for work that may be done elsewhere: processes of this machine, a Dask or a Ray cluster; begun and ended.

Ray and Dask are told not to telephone home, and open no page. What is computed there must not depend on where it is.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from strata_git.errors import MissingExtra, StrataError, UsageError, printable

_NEEDS = {"loky": ("sweep", "joblib"), "dask": ("dask", "distributed"), "ray": ("ray", "ray")}
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_AS_OTHERS = {"RAY_worker_niceness": "0"}
"""Ray gives its workers the lowest priority but four: beside anything else at work they come to nothing."""
_PATIENCE = "20s"
_WATCH = "strata-watch"
_LOOK_EVERY = 0.5
"""Seconds between two looks whether whoever started a worker is still there."""
_HERE = "127.0.0.1"

Call = Callable[..., Any]
"""`call(function, value)`: what the function gives for the value, computed elsewhere; any thread may ask."""


def require_engine(name: str, jobs: int | None, scheduler: str) -> None:
    """Raise UsageError for what cannot be asked of an engine, MissingExtra for one that is not installed."""
    from importlib.util import find_spec

    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: there is at least one at a time.")
    if scheduler and name not in ("dask", "ray"):
        raise UsageError("--scheduler goes with --engine dask or ray.")
    for extra, module in dict.fromkeys(_NEEDS[one] for one in (name, "loky") if one != "none" and name != "none"):
        if find_spec(module) is None:
            raise MissingExtra(extra, f"The engine '{name}'")


@contextmanager
def begun(name: str, jobs: int, scheduler: str, scratch: Path) -> Iterator[None]:
    """The cluster `name` (loky, dask, ray) for `jobs` pieces of work at a time, and gone afterwards.

    `scheduler` is the address of a cluster that is there already; without one, Dask and Ray begin one on this machine.
    `scratch` is a directory for what an engine must put somewhere. Raises StrataError for a cluster out of reach.
    """
    if name == "loky":
        try:
            yield
        finally:
            _end_loky()
        return
    with _dask(jobs, scheduler, scratch) if name == "dask" else _ray(jobs, scheduler):
        yield


@contextmanager
def calling(name: str, jobs: int, scheduler: str, scratch: Path) -> Iterator[Call]:
    """The same, for whoever has one piece of work after the other; functions are those of modules, not closures.

    A call raises StrataError when the process that worked on it died twice.
    """
    with begun(name, jobs, scheduler, scratch):
        yield _LOOPS[name](jobs)


def bound() -> dict[str, Any]:
    """What loky is given so that its workers, also those that have had no work yet, do not outlive this process: by
    itself it leaves them waiting for minutes, or for ever, with whatever they hold open."""
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def end_with(home: int) -> None:
    """See to it that this process, started by the process `home`, does not outlive it."""
    if any(thread.name == _WATCH for thread in threading.enumerate()):
        return
    threading.Thread(target=_watch, args=(home,), name=_WATCH, daemon=True).start()


def _watch(home: int) -> None:
    while os.getppid() == home:
        time.sleep(_LOOK_EVERY)
    os._exit(1)


def processors() -> int:
    """Those this process may use, where a control group leaves fewer no more than that."""
    from strata_git.runs.system import cpu_facts

    facts = cpu_facts()
    shares = [share for share in (facts["usable"], facts["limit"]) if isinstance(share, int | float)]
    return max(1, int(min(shares, default=1)))


def _loky_call(jobs: int) -> Call:
    from joblib.externals.loky import get_reusable_executor

    def call(function: Callable[..., Any], value: Any) -> Any:
        for last in (False, True):
            try:
                executor = get_reusable_executor(max_workers=jobs, **bound())
                return executor.submit(function, value).result()
            except BrokenProcessPool as broken:
                if last:
                    raise _died(broken) from broken
        raise AssertionError("unreachable")

    return call


def _dask_call(_jobs: int) -> Call:
    from distributed import KilledWorker, get_client

    client = get_client()

    def call(function: Callable[..., Any], value: Any) -> Any:
        try:
            return client.submit(function, value, pure=False).result()
        except KilledWorker as killed:
            raise _died(killed) from killed

    return call


def _ray_call(_jobs: int) -> Call:
    import ray

    known: dict[Callable[..., Any], Any] = {}

    def call(function: Callable[..., Any], value: Any) -> Any:
        if function not in known:
            known[function] = ray.remote(function)
        try:
            return ray.get(known[function].remote(value))
        except (ray.exceptions.RaySystemError, ray.exceptions.WorkerCrashedError) as error:
            raise _died(error) from error

    return call


_LOOPS: dict[str, Callable[[int], Call]] = {"loky": _loky_call, "dask": _dask_call, "ray": _ray_call}


def _died(error: BaseException) -> StrataError:
    reason = printable(" ".join(str(error).split())[:200]).rstrip(".")
    return StrataError(
        f"A process of the engine died again and again: {reason}.",
        hint="Is there memory left for so many at once? Try a smaller --jobs, or --engine none.",
    )


def _end_loky() -> None:
    """Let no worker wait for more work afterwards, whatever became of it. Whose workers they are, they are reused: else
    those of others than `get_reusable_executor` makes by itself would be let finish what they are at."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True, kill_workers=True).shutdown(wait=True, kill_workers=True)


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
    os.environ.update(_QUIET | _AS_OTHERS)
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
