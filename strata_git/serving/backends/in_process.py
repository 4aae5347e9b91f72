"""A model in this process, asked by many at once.

A quick model answers on the event loop itself: changing threads would cost more than the answer. A very quick one does
so at once; for any other, requests that came in the same turn of the loop are answered together. How many rows are
quick is measured when the model is taken in. All else is answered by one thread, which takes what waits together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from strata_git.errors import StrataError
from strata_git.serving.batching import STUCK, Batcher, Job, Outputs, past_deadline
from strata_git.serving.columns import Signature, Table, blank_table
from strata_git.serving.errors import Unanswered

if TYPE_CHECKING:
    from strata_git.contracts.service import Batch, Limits
    from strata_git.serving.backends.local import Model
    from strata_git.serving.provenance import Provenance

QUICK, INSTANT = 0.001, 0.0001
"""Seconds for which an event loop may be held up by a prediction; and below which company is worth nothing."""
_TRIES = 5
_MANY = 64


class InProcess:
    """See `backend.Backend`."""

    def __init__(
        self, model: Model, provenance: Provenance, batch: Batch | None = None, limits: Limits | None = None
    ) -> None:
        """`batch` and `limits` are those of the service; None: their defaults."""
        from strata_git.contracts.service import Batch, Limits

        batch, limits = batch or Batch(), limits or Limits()
        self._model = model
        self._provenance = provenance
        self._drain = limits.drain_ms / 1000
        self._patience = STUCK * limits.deadline_ms / 1000
        self._quick_rows = 0 if batch.wait_ms else quick_rows(model)
        self._is_instant = self._quick_rows > 0 and _seconds(model, blank_table(model.signature)) < INSTANT
        rows = batch.rows if getattr(model, "rowwise", True) else 1
        self._batcher = Batcher(
            model.predict, model.signature, self._settle, rows=rows, wait=batch.wait_ms / 1000, queue=limits.queue
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: list[Job] = []
        self._under_way = 0
        self._closed = False

    @property
    def signature(self) -> Signature:
        """Its columns."""
        return self._model.signature

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""
        return self._provenance

    @property
    def waiting(self) -> int:
        """Requests that wait for the model."""
        return self._batcher.waiting

    async def predict(self, table: Table, *, timeout: float | None = None) -> Outputs:
        """See `backend.Backend`."""
        if self._closed:
            raise Unanswered("The model is being taken away.", status=503)
        is_quick = table.rows <= self._quick_rows
        if is_quick and self._is_instant and (outputs := self._batcher.at_once(table)) is not None:
            return outputs
        self._loop = loop = asyncio.get_running_loop()
        future: asyncio.Future[Job] = loop.create_future()
        job = Job(table, None if timeout is None else time.monotonic() + timeout, future)
        if is_quick:
            if not self._pending:
                loop.call_soon(self._answer_pending)
            self._pending.append(job)
        else:
            self._batcher.submit(job)
        self._under_way += 1
        try:
            async with asyncio.timeout(timeout):
                return (await future).result
        except TimeoutError:
            raise past_deadline() from None
        finally:
            job.dropped = True
            self._under_way -= 1

    async def ready(self) -> bool:
        """Whether it would answer now."""
        return not self._closed and not self._batcher.is_stuck(self._patience)

    async def close(self) -> None:
        """See `backend.Backend`."""
        self._closed = True
        until = time.monotonic() + self._drain
        while self._under_way and time.monotonic() < until:
            await asyncio.sleep(0.01)
        self._batcher.close()

    def _answer_pending(self) -> None:
        """What came in this turn of the loop; where the model is busy with a long request, it waits like all else."""
        jobs = [job for job in self._pending if not job.token.done()]
        self._pending.clear()
        if self._batcher.together(jobs):
            _tell(jobs)
            return
        for job in jobs:
            try:
                self._batcher.submit(job)
            except Unanswered as error:
                job.error = error
                _tell([job])

    def _settle(self, jobs: Sequence[Job]) -> None:
        """In the thread of the batcher."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, jobs)


def quick_rows(model: Model) -> int:
    """Most rows that the model answers within QUICK; 0 for a slow one, and for one that may hang: in another process,
    or code of the service's own (not `rowwise`), which may wait for anything. Measured with rows of zeros."""
    from strata_git.serving.batching import joined

    if getattr(model, "elsewhere", False) or not getattr(model, "rowwise", True):
        return 0
    one = blank_table(model.signature)
    try:
        alone = _seconds(model, one)
        if alone > QUICK:
            return 0
        many = _seconds(model, joined([one] * _MANY, model.signature))
    except StrataError:  # such rows are not for every model
        return 0
    each = max((many - alone) / (_MANY - 1), 1e-7)
    return 1 + int((QUICK - alone) / each)


def _seconds(model: Model, table: Table) -> float:
    """The least of some tries: machines may be busy. A slow model is not asked again."""
    least = float("inf")
    for _ in range(_TRIES):
        before = time.perf_counter()
        model.predict(table)
        least = min(least, time.perf_counter() - before)
        if least > 10 * QUICK:
            break
    return least


def _tell(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if not job.token.done():
            job.token.set_result(job)
