"""Requests that wait are answered together, and none of them waits for company.

While the model is busy requests queue up; when it is free it takes all of them at once, as many rows as are allowed.
Where nobody waits a request is answered where it came in, without changing threads. A request with as many rows as a
batch may have goes alone. A prediction that fails is tried again request by request, so that a bad one fails alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Condition, Lock, Thread
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.columns import Signature, Table
from strata_git.serving.errors import PredictionError, Unanswered

STUCK = 3
"""Deadlines after which a prediction is held to be one that does not end."""
Outputs = Mapping[str, Any]
Predict = Callable[[Table], Outputs]


class Job:
    """A request that waits: its rows, until when it is worth answering (monotonic seconds), and what came of it."""

    __slots__ = ("deadline", "dropped", "error", "outputs", "table", "token")

    def __init__(self, table: Table, deadline: float | None, token: Any) -> None:
        self.table = table
        self.deadline = deadline
        self.token = token
        self.dropped = False
        self.outputs: Outputs | None = None
        self.error: StrataError | None = None

    @property
    def result(self) -> Outputs:
        """The answer, or the error that it is raised as."""
        if self.error is not None:
            raise self.error
        return self.outputs or {}


class Batcher:
    """One prediction at a time, from any thread. `settle` is told, in a thread of the batcher, which jobs are done."""

    def __init__(
        self, predict: Predict, signature: Signature, settle: Callable[[Sequence[Job]], None], *, rows: int = 64,
        wait: float = 0.0, queue: int = 256, patience: float = 0.0,
    ) -> None:  # fmt: skip
        """`rows` are the most of one batch, `wait` the seconds that a batch may be waited for, `queue` the most
        requests that wait, `patience` the seconds for which a request stands by for a quick model before it queues up.
        """
        self._predict = predict
        self._signature = signature
        self._settle = settle
        self._rows = rows
        self._wait = wait
        self._queue = queue
        self._patience = patience
        self._model = Lock()
        self._changed = Condition(Lock())
        self._waiting: deque[tuple[float, Job]] = deque()
        self._waiting_rows = 0
        self._thread: Thread | None = None
        self._closed = False
        self._since = 0.0

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def is_stuck(self, seconds: float) -> bool:
        """Whether one prediction has been going on for longer: it may never end, and nothing else is answered."""
        since = self._since
        return since > 0 and time.monotonic() - since > seconds

    def at_once(self, table: Table) -> Outputs | None:
        """The answer, made in this thread; None where the model is busy or a batch is waited for."""
        if self._waiting or self._wait or self._closed:
            return None
        free = self._model.acquire(timeout=self._patience) if self._patience else self._model.acquire(blocking=False)
        if not free:
            return None
        self._since = time.monotonic()
        try:
            return guarded(self._predict, table)
        finally:
            self._since = 0.0
            self._model.release()

    def together(self, jobs: Sequence[Job]) -> bool:
        """Answer jobs that were not submitted, in this thread, in batches; False where the model is busy."""
        if self._waiting or self._closed or not self._model.acquire(blocking=False):
            return False
        try:
            for batch in batches(jobs, self._rows):
                self._since = time.monotonic()
                answer(self._predict, batch, self._signature)
        finally:
            self._since = 0.0
            self._model.release()
        return True

    def submit(self, job: Job) -> None:
        """Queue up. Raises Unanswered: 429 where too many wait already, 503 where this is closed."""
        with self._changed:
            if self._closed:
                raise Unanswered("The model is being taken away.", status=503)
            if len(self._waiting) >= self._queue:
                raise Unanswered("Too many requests wait already.", status=429)
            self._waiting.append((time.monotonic(), job))
            self._waiting_rows += job.table.rows
            if self._thread is None:
                self._thread = Thread(target=self._work, name="predictions", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more; what waits is answered still."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while self._stand_by():
            with self._model:
                jobs, late = self._next()
                if jobs:
                    self._since = time.monotonic()
                    answer(self._predict, jobs, self._signature)
                    self._since = 0.0
            if jobs or late:
                self._settle([*jobs, *late])

    def _stand_by(self) -> bool:
        """Until there is something to answer; False where there never will be."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return False
                self._changed.wait()
            first = self._waiting[0][0]
            while self._waiting_rows < self._rows and (rest := first + self._wait - time.monotonic()) > 0:
                if self._closed:
                    break
                self._changed.wait(rest)
            return True

    def _next(self) -> tuple[list[Job], list[Job]]:
        """The requests that are answered together next, the oldest first; and those whose time has passed."""
        jobs: list[Job] = []
        late: list[Job] = []
        rows, now = 0, time.monotonic()
        with self._changed:
            while self._waiting:
                job = self._waiting[0][1]
                if not job.dropped and (job.deadline is None or job.deadline > now):
                    if jobs and rows + job.table.rows > self._rows:
                        break
                    jobs.append(job)
                    rows += job.table.rows
                else:
                    job.error = past_deadline()
                    late.append(job)
                self._waiting.popleft()
                self._waiting_rows -= job.table.rows
        return jobs, late


def past_deadline() -> Unanswered:
    """The error of a request that was not answered in its time."""
    return Unanswered("No answer within the deadline.", status=504)


def answer(predict: Predict, jobs: Sequence[Job], signature: Signature) -> None:
    """Give every job its outputs or its error, by one prediction where that works."""
    if len(jobs) > 1:
        try:
            together = guarded(predict, joined([job.table for job in jobs], signature))
        except StrataError:
            pass  # whose fault it is shows when each is asked alone
        else:
            at = 0
            for job in jobs:
                job.outputs = {name: array[at : at + job.table.rows] for name, array in together.items()}
                at += job.table.rows
            return
    for job in jobs:
        try:
            job.outputs = guarded(predict, job.table)
        except StrataError as error:
            job.error = error


def batches(jobs: Sequence[Job], rows: int) -> Iterator[list[Job]]:
    """Jobs in their order, in parts of at most so many rows; one with more is a part of its own."""
    part: list[Job] = []
    taken = 0
    for job in jobs:
        if part and taken + job.table.rows > rows:
            yield part
            part, taken = [], 0
        part.append(job)
        taken += job.table.rows
    if part:
        yield part


def guarded(predict: Predict, table: Table) -> Outputs:
    """An answer, or a StrataError: whatever else a model raises is a PredictionError."""
    try:
        return predict(table)
    except StrataError:
        raise
    except Exception as error:  # a model is anybody's code
        raise PredictionError(f"The model could not answer ({type(error).__name__}).") from error


def joined(tables: Sequence[Table], signature: Signature) -> Table:
    """The rows of all tables, one after the other."""
    import numpy as np

    rows = sum(table.rows for table in tables)
    if signature.is_float64:
        return Table(signature.inputs, rows, matrix=np.concatenate([table.matrix("float64") for table in tables]))
    columns = zip(*(table.arrays for table in tables), strict=True)
    return Table(signature.inputs, rows, [np.concatenate(parts) for parts in columns])
