"""Several processes of one R model behind the api-service: each takes what waits for it together, the least loaded one
is asked first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strata_git.serving.backends.in_process import InProcess
from strata_git.serving.columns import Signature, Table
from strata_git.serving.errors import Unanswered
from strata_git.serving.r.model import RModel, RWorker

if TYPE_CHECKING:
    from strata_git.contracts.service import Batch, Limits
    from strata_git.serving.provenance import Provenance


class RProcesses:
    """See `backends.backend.Backend`. The model goes with it: whoever closes this closes the model."""

    def __init__(
        self, model: RModel, provenance: Provenance, batch: Batch | None = None, limits: Limits | None = None,
        *, workers: int = 1,
    ) -> None:  # fmt: skip
        """`workers` processes of R, of which the model may have some already; `limits.queue` is that of all together.

        Starts those that are missing and waits for them. StrataError where one does not load the model.
        """
        if limits is not None:
            model.seconds = limits.deadline_ms / 1000
        model.grow(workers)
        self._model = model
        self._provenance = provenance
        self._queue = limits.queue if limits is not None else 256
        self._workers = [
            (process, InProcess(RWorker(model, process), provenance, batch, limits)) for process in model.processes
        ]

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
        """Requests that wait for a process."""
        return sum(worker.waiting for _, worker in self._workers)

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        """See `backends.backend.Backend`."""
        there = [(worker.waiting, process.under_way, place) for place, (process, worker) in enumerate(self._workers)
                 if process.ready]  # fmt: skip
        if not there:
            raise Unanswered("The process of the model is being started again.", status=503)
        if sum(one[0] for one in there) >= self._queue:
            raise Unanswered("Too many requests wait already.", status=429)
        return await self._workers[min(there)[2]][1].predict(table, timeout=timeout)

    async def ready(self) -> bool:
        """Whether a process would answer now."""
        return any(process.ready for process, _ in self._workers)

    async def close(self) -> None:
        """See `backends.backend.Backend`."""
        import asyncio

        await asyncio.gather(*(worker.close() for _, worker in self._workers))
        await asyncio.to_thread(self._model.close)
