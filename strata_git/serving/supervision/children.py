"""The processes of one version: several model-services with the same model, each begun again when it dies.

Where one dies the others answer; where none is left, requests get 503 with Retry-After until one is ready again. What
is begun again passes the gate again. Where that brings another version, or none, nothing of it is used: the service is
told (`restless`), and asks the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.errors import Unanswered
from strata_git.serving.supervision.child import Child, ChildFailed, ChildRefused, Log

if TYPE_CHECKING:
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.columns import Signature, Table
    from strata_git.serving.provenance import Provenance

Start = Callable[[int], Awaitable[Child]]
"""Starts the process with this number, and returns when it is ready; raises as `child.start_child`."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
"""Seconds before a process is begun again: the first time, and at most (twice as long each time)."""
CALM = 60.0
"""Seconds after which a process that has lived is begun again as if for the first time."""
GRACE, SHORT = 5.0, 1.0
"""Seconds that a process has to end beyond what it may take to answer what is under way; and when nothing is."""


class Children:
    """So many processes that `start` makes; `log` takes lines about their lives."""

    def __init__(self, count: int, start: Start, *, log: Log, restless: Callable[[str], None], drain: float) -> None:
        self._start = start
        self._log = log
        self._restless = restless
        self._drain = drain
        self._children: list[Child | None] = [None] * count
        self._guards: list[asyncio.Task[None]] = []
        self._grace = GRACE
        self._ending = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of those that are there."""
        return tuple(child.pid for child in self._children if child is not None and child.is_running)

    async def begin(self) -> Mapping[str, Any]:
        """Start all of them, and return what the first one said. Raises as `start_child`; none is left then."""
        tasks = [asyncio.ensure_future(self._start(number)) for number in range(len(self._children))]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        for number, one in enumerate(done):
            if isinstance(one, Child):
                self._children[number] = one
        refused = next((one for one in done if isinstance(one, BaseException)), None)
        said = [child.said for child in self._children if child is not None]
        if refused is None and any(identity(one) != identity(said[0]) for one in said):
            refused = ChildFailed("The model changed while its processes were started.")
        if refused is not None:
            await self.end()
            raise refused
        self._guards = [asyncio.ensure_future(self._guard(number, identity(said[0]))) for number in range(len(done))]
        return said[0]

    async def end(self) -> None:
        """End all of them; what is under way is answered first. A second time does nothing."""
        self._ending = True
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        there = [child for child in self._children if child is not None]
        await asyncio.gather(*(child.stop(self._drain + self._grace) for child in there))

    def hasten(self) -> None:
        """Nothing is under way any more: whoever is asked to end needs no time for answers."""
        self._drain, self._grace = 0.0, SHORT

    def kill(self) -> None:
        """End all of them at once."""
        self._ending = True
        for child in self._children:
            if child is not None:
                child.kill()

    async def _guard(self, number: int, wanted: tuple[str, ...]) -> None:
        """Begin one process again whenever it dies, as long as it is the same version."""
        pause = FIRST_PAUSE
        while not self._ending:
            child = self._children[number]
            if child is not None:
                lived = time.monotonic()
                how = await child.ended()
                self._children[number] = None
                if self._ending:
                    return
                if time.monotonic() - lived > CALM:
                    pause = FIRST_PAUSE
                self._log(f"model-service {number} ({child.pid}) died: {how}; it is begun again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                made = await self._start(number)
            except ChildRefused as error:
                self._log(f"model-service {number} is refused: {error.message}")
                self._restless(error.message)
            except StrataError as error:
                self._log(f"{error.message} It is tried again in {pause:g} s.")
            else:
                if identity(made.said) == wanted:
                    self._children[number] = made
                    self._log(f"model-service {number} ({made.pid}) is ready again")
                else:
                    await made.stop(GRACE)
                    self._restless("another version, or other code, is in its place")


def identity(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Version, digest and code of the service's own that a process says it has loaded."""
    provenance = said.get("provenance")
    known = provenance if isinstance(provenance, dict) else {}
    return tuple(str(known.get(name, "")) for name in ("version", "digest", "code"))


class InChildren:
    """A backend (see `backends.backend`) together with the processes it asks: they end when it is closed."""

    def __init__(self, backend: Backend, children: Children) -> None:
        self._backend = backend
        self._children = children

    @property
    def signature(self) -> Signature:
        """Its columns."""
        return self._backend.signature

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""
        return self._backend.provenance

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of its processes."""
        return self._children.pids

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        """See `backend.Backend`."""
        if not self._children.pids:
            raise Unanswered("The model's process died; another one is being started.", status=503)
        return await self._backend.predict(table, timeout=timeout)

    async def ready(self) -> bool:
        """Whether it would answer now."""
        return bool(self._children.pids) and await self._backend.ready()

    async def close(self) -> None:
        """See `backend.Backend`."""
        await self._backend.close()
        await self._children.end()

    def hasten(self) -> None:
        """See `Children`."""
        self._children.hasten()

    def kill(self) -> None:
        """End the processes at once."""
        self._children.kill()
