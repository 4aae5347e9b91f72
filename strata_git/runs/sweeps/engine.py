"""Where trials are computed: in this process, in processes of this machine, on a Dask or a Ray cluster.

All but the first are joblib's backends, which `runs.engines` begins and ends; the code that is run is the same function
on the same values everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from strata_git.runs.engines import begun, bound, processors
from strata_git.runs.sweeps.trial import Ended
from strata_git.runs.sweeps.work import Task, lost, work

_ROUNDS = 4
"""Trials a worker that Ray is handed at once: its joblib backend gives results back all together."""

Run = Callable[[Sequence[Task]], Iterator[Ended]]
"""Makes trials and yields what came of each as it ends, in any order."""


@contextmanager
def started(name: str, jobs: int | None, scheduler: str, scratch: Path, threads: int = 1) -> Iterator[Run]:
    """The engine `name` with `jobs` trials at a time (None: as many as fit, with `threads` each), and gone afterwards.

    `scheduler` is the address of a cluster that is there already; without one, Dask and Ray begin one on this machine.
    `scratch` is a directory for what an engine must put somewhere. Raises StrataError for a cluster out of reach.
    """
    count = jobs or max(1, processors() // threads)
    if name == "none" or (name == "loky" and count == 1):
        yield lambda tasks: map(work, tasks)
        return
    with ExitStack() as stack:
        stack.enter_context(begun(name, count, scheduler, scratch))
        yield _joblib(name, count if jobs or not scheduler else -1, stack)


def _joblib(name: str, jobs: int, stack: ExitStack) -> Run:
    """joblib's own loop over a backend; results come one by one where the backend can, else by small rounds."""
    from joblib import Parallel, delayed, parallel_config

    def told(tasks: Iterable[Task], **how: Any) -> Any:
        bounds = bound() if name == "loky" else {}
        with parallel_config(backend=name, n_jobs=jobs, **bounds):
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

    with ProcessPoolExecutor(max_workers=1, **bound()) as alone:
        try:
            ended: Ended = alone.submit(work, task).result()
        except BrokenProcessPool as broken:
            codes = re.search(r"\{([A-Z]+)\(", str(broken))
            sign = f" ({codes[1]})" if codes else ""
            return lost(task, f"its process died{sign}: out of memory, or a library's crash")
    return ended
