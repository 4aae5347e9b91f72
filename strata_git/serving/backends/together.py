"""Requests for a model elsewhere that wait while others are under way go there together, in one call.

A call between processes costs more than the answer of a quick model, so that under many requests most of it is saved;
alone, a request goes at once. Of an event loop, without threads; what `batching` is for a model in this process.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from strata_git.errors import StrataError
from strata_git.serving.batching import Job, Outputs, joined, past_deadline
from strata_git.serving.columns import Signature, Table
from strata_git.serving.errors import Unanswered

Send = Callable[[Table, float | None], Awaitable[Outputs]]
"""(rows, seconds that are left) -> answer."""


class Together:
    """`at_once` calls are under way at most, each of at most `rows` rows; `queue` requests may wait.

    Requests with as many rows go by themselves at once: whoever answers has a queue of its own.
    """

    def __init__(self, send: Send, signature: Signature, *, rows: int, queue: int, at_once: int) -> None:
        self._send = send
        self._signature = signature
        self._rows = rows
        self._queue = queue
        self._at_once = at_once
        self._under_way = 0
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def predict(self, table: Table, timeout: float | None) -> Outputs:
        """The answer. Raises what `send` does, and Unanswered: 429 where too many wait, 504 past the deadline."""
        if table.rows >= self._rows:  # nothing could go with it, so that it has nothing to wait for
            return await self._send(table, timeout)
        if self._under_way < self._at_once:
            self._under_way += 1
            try:
                return await self._send(table, timeout)
            finally:
                self._finished()
        if len(self._waiting) >= self._queue:
            raise Unanswered("Too many requests wait already.", status=429)
        future: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        job = Job(table, None if timeout is None else time.monotonic() + timeout, future)
        self._waiting.append(job)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise past_deadline() from None
        finally:
            job.dropped = True

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._under_way and not self._waiting

    def _finished(self) -> None:
        """A call has ended: what waits goes next, the oldest first."""
        self._under_way -= 1
        jobs: list[Job] = []
        rows = 0
        while self._waiting and (not jobs or rows + self._waiting[0].table.rows <= self._rows):
            job = self._waiting.popleft()
            if not job.dropped:
                jobs.append(job)
                rows += job.table.rows
        if jobs:
            self._under_way += 1
            task = asyncio.get_running_loop().create_task(self._answered(jobs))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answered(self, jobs: Sequence[Job]) -> None:
        try:
            if len(jobs) == 1:
                await self._alone(jobs[0])
            else:
                await self._as_one(jobs)
        finally:
            for job in jobs:  # nobody waits for ever, whatever went wrong
                _fail(job, Unanswered("The model is not there at the moment.", status=503))
            self._finished()

    async def _as_one(self, jobs: Sequence[Job]) -> None:
        """One call for all. Where something is wrong with it, each is asked alone: a bad request fails alone."""
        table = joined([job.table for job in jobs], self._signature)
        try:
            found = await self._send(table, _longest(jobs))
        except Unanswered as error:
            for job in jobs:
                _fail(job, error)
        except StrataError:
            await asyncio.gather(*(self._alone(job) for job in jobs))
        else:
            at = 0
            for job in jobs:
                rows = job.table.rows
                if not job.token.done():
                    job.token.set_result({name: array[at : at + rows] for name, array in found.items()})
                at += rows

    async def _alone(self, job: Job) -> None:
        try:
            found = await self._send(job.table, _longest([job]))
        except StrataError as error:
            _fail(job, error)
        else:
            if not job.token.done():
                job.token.set_result(found)


def _longest(jobs: Sequence[Job]) -> float | None:
    """Seconds until the last of them is not worth answering any more."""
    now = time.monotonic()
    rests = [job.deadline - now for job in jobs if job.deadline is not None]
    return max(max(rests), 0.0) if len(rests) == len(jobs) else None


def _fail(job: Job, error: StrataError) -> None:
    if not job.token.done():
        job.token.set_exception(error)
