"""What all routes of one service share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from strata_git.serving.api.answer import Answer
from strata_git.serving.api.asked import Room
from strata_git.serving.columns import Bounds
from strata_git.serving.errors import Unanswered
from strata_git.serving.logs import tell_access, tells_access

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.api.asked import Asked
    from strata_git.serving.api.auth import Authenticator
    from strata_git.serving.api.metrics import Metrics
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.columns import Table
    from strata_git.serving.prediction_log import PredictionLog
    from strata_git.serving.provenance import Provenance
    from strata_git.serving.router import Router

GRPC_QUIET = frozenset({"ServerLive", "ServerReady", "ModelReady", "Check"})
_REMEMBERED = 64
ROOM = 256 << 20
"""Bytes that the bodies of all requests may take while they come (at least four of the largest that is taken)."""
LARGE = 256 << 10
"""Bytes from which on a body is parsed in a thread, so that small requests are answered meanwhile."""


class State(Protocol):
    """`app.state`: whoever ends the service sets `draining`, and connections are closed as they are answered."""

    draining: bool


Card = Callable[["Provenance"], str]
Prototype = Callable[["Backend"], Mapping[str, Any]]


@dataclass(slots=True)
class Context:
    """A service as its routes see it. `card` and `prototype` are asked for the version that is in force."""

    service: Service
    router: Router
    authenticator: Authenticator
    metrics: Metrics
    card: Card
    prototype: Prototype
    log: PredictionLog | None = None
    hosts: frozenset[str] | None = None
    bounds: Bounds = field(default_factory=Bounds)
    room: Room = field(default_factory=lambda: Room(ROOM))
    state: State | None = None
    _headers: dict[int, tuple[Provenance, dict[str, str], list[tuple[bytes, bytes]]]] = field(default_factory=dict)

    @property
    def draining(self) -> bool:
        """Whether the service ends: what has come is answered, and nothing more is taken."""
        return self.state is not None and self.state.draining

    @property
    def deadline(self) -> float:
        """The most seconds that an answer may take."""
        return self.service.api.limits.deadline_ms / 1000

    def current(self) -> Backend:
        """The version in force. Raises Unanswered (503) where there is none."""
        backend = self.router.current
        if backend is None:
            raise Unanswered(f"No model is ready: {self.router.reason}.", status=503)
        return backend

    def headers(self, provenance: Provenance) -> tuple[dict[str, str], list[tuple[bytes, bytes]]]:
        """What a version's answers carry: as text, and as it goes over the wire."""
        known = self._headers.get(id(provenance))
        if known is None or known[0] is not provenance:
            told = provenance.headers()
            raw = [(name.encode(), value.encode()) for name, value in told.items()]
            if len(self._headers) >= _REMEMBERED:
                self._headers.clear()
            known = self._headers[id(provenance)] = (provenance, told, raw)
        return known[1], known[2]

    def observe(self, method: str, code: str, seconds: float, rows: int) -> None:
        """A call over gRPC came to its end: it is counted and has its line in the access log."""
        self.metrics.observe(method, code, seconds)
        quiet = method in GRPC_QUIET and code == "OK"
        told = {"method": method, "code": code, "ms": round(seconds * 1000, 3)} | ({"rows": rows} if rows else {})
        if tells_access(level := logging.DEBUG if quiet else logging.INFO):
            tell_access(level, f"gRPC {method} {code}", told)

    async def ask(
        self, asked: Asked, read: Callable[[Backend], Table], *, backend: Backend | None = None
    ) -> tuple[Mapping[str, Any], Backend]:
        """The answers and whose they are. `read` makes the rows by the columns of who is to answer.

        A canary that is not there is passed over for the version in force. Raises RequestError, Unanswered,
        PredictionError.
        """
        chosen = backend or self.router.pick(asked.id)
        try:
            return await self._asked(asked, read, chosen), chosen
        except Unanswered as error:
            current = self.router.current
            if backend is not None or error.status != 503 or current is None or current is chosen:
                raise
        return await self._asked(asked, read, current), current

    async def _asked(self, asked: Asked, read: Callable[[Backend], Table], backend: Backend) -> Mapping[str, Any]:
        asked.provenance = backend.provenance
        table = read(backend) if asked.size <= LARGE else await asyncio.to_thread(read, backend)
        asked.rows = table.rows
        remaining = asked.remaining
        if remaining <= 0:
            raise Unanswered("The deadline passed before the model could be asked.", status=504)
        outputs = await backend.predict(table, timeout=remaining)
        self.keep(asked.id, backend.provenance, table, outputs)
        return outputs

    def keep(self, request: str, provenance: Provenance, table: Table, outputs: Mapping[str, Any]) -> None:
        """Count a prediction, by whichever interface it came, and let the prediction log have it."""
        self.metrics.predicted(provenance.reference, table.rows)
        if self.log is not None:
            self.log.offer(request, provenance, table, outputs)


Handler = Callable[[Context, "Asked"], Awaitable[Answer]]
