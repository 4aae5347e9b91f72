"""What a run may take (`resources`, TFC-0002 4.6), and how far that can be enforced in the process that runs it.

- `cpus` bounds the threads that OpenMP, BLAS libraries, joblib and their like start, here and in children. A plugin
  that starts threads by itself is not bounded.
- `gpus` hides the graphics processors beyond so many from CUDA and ROCm; so many must be there.
- `memory_mb` bounds what the process may allocate (RLIMIT_DATA, in units of 2**20 bytes), and each child for itself.
- `time_limit_s` stops the work in the main thread; code in C is stopped when it comes back to Python.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from strata_git.errors import StrataError

_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
_DEVICES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
_AGAIN = 1.0
"""Seconds after which work that swallowed its end is told once more: what is raised while Python tidies something away
(a weak reference, a `__del__`) reaches nobody."""
_PATIENCE = 30.0
"""Seconds that whoever has heard it gets, to end what was started."""


class TimeUp(BaseException):
    """The run's time is over. Not an Exception: a plugin that catches everything must not swallow it."""


def require_available(resources: Mapping[str, Any]) -> None:
    """Raise StrataError for more processors than there are to use."""
    from strata_git.runs.system import gpus

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = {"cpus": (resources.get("cpus"), usable)}
    if resources.get("gpus"):
        wanted["gpus"] = (resources["gpus"], len(list(gpus())))
    for name, (asked, there) in wanted.items():
        if asked is not None and asked > there:
            raise StrataError(
                f"resources.{name} asks for {asked}, and there {'is' if there == 1 else 'are'} {there}.",
                hint=f"Run it elsewhere, or with --set resources.{name}={there}",
            )


@contextlib.contextmanager
def processors(resources: Mapping[str, Any]) -> Iterator[None]:
    """Bound threads and graphics processors by the switches that libraries read when loaded; put back after."""
    wanted = switches(resources, os.environ)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with _loaded_libraries(resources.get("cpus")):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def switches(resources: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that bound threads and graphics processors of a program that is started with `environ`."""
    found: dict[str, str] = {}
    if (cpus := resources.get("cpus")) is not None:
        found |= dict.fromkeys(_THREADS, str(cpus))
    if (count := resources.get("gpus")) is not None:
        visible = ",".join(map(str, range(count))) or "-1"
        found |= {name: visible for name in _DEVICES if not (count and name in environ)}
    return found


@contextlib.contextmanager
def work(resources: Mapping[str, Any], told: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Bound time and memory while the plugin works; `told` hears what cannot be enforced here.

    Raises TimeUp when the time is over, StrataError for a bound on memory that is exceeded already.
    """
    with _memory(resources.get("memory_mb")), _time(resources.get("time_limit_s"), told):
        yield


def ended_by(resources: Mapping[str, Any], error: BaseException) -> str | None:
    """The sentence for an error that a bound brought about; None for any other."""
    if isinstance(error, TimeUp):
        return f"the time limit of {resources.get('time_limit_s')} s (resources.time_limit_s) was reached"
    if isinstance(error, MemoryError) and (limit := resources.get("memory_mb")) is not None:
        return f"MemoryError: no more than {limit} MB may be allocated (resources.memory_mb)"
    return None


def heard() -> None:
    """Say that the end was heard, and takes a while: until then nobody is told again."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGALRM) is _time_is_up:
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _AGAIN)


@contextlib.contextmanager
def _loaded_libraries(cpus: int | None) -> Iterator[None]:
    """Libraries that were loaded before no longer look at the switches."""
    if cpus is None or "numpy" not in sys.modules:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(limits=cpus):
        yield


@contextlib.contextmanager
def _memory(limit: int | None) -> Iterator[None]:
    if limit is None:
        yield
        return
    wanted = limit << 20
    held = _allocated()
    if held is not None and held > wanted:
        raise StrataError(
            f"resources.memory_mb is {limit}, and the process holds {held >> 20} MB before the plugin begins.",
            hint="Ask for more: it counts all that is allocated, used or not.",
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [wanted, *(value for value in (soft, hard) if value != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _allocated() -> int | None:
    try:
        found = re.search(rb"(?m)^VmData:\s*([0-9]+) kB", Path("/proc/self/status").read_bytes())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


@contextlib.contextmanager
def _time(limit: float | None, told: Callable[[str], None]) -> Iterator[None]:
    if limit is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        told("resources.time_limit_s is not enforced: the run is not in its process's main thread")
        yield
        return
    before = signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, float(limit), _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _time_is_up(_number: int, _frame: FrameType | None) -> None:
    raise TimeUp
