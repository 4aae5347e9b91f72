"""Which version answers a request: the one in force, or a canary for its share; shadows see it and stay unheard.

`pick` is asked once the request is there, and what it gives is asked at once: its columns, its answer and its
provenance are those of one version, whatever is promoted meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.errors import Unanswered

if TYPE_CHECKING:
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.columns import Signature, Table
    from strata_git.serving.provenance import Provenance

SHARES = 10_000
GRACE = 0.25
"""Seconds for which a version that was replaced is still there for who has picked it already."""
REST = 2.0
"""Seconds for which a canary that could not answer is spared."""
SHADOWED = 8
"""Most requests that a shadow is asked at once; more are left out and counted."""
SHADOW_SECONDS = 10.0


@dataclass(slots=True)
class ShadowCounts:
    """What a shadow was asked: answers like those given, others, none at all, and requests it was not asked."""

    agreed: int = 0
    differed: int = 0
    failed: int = 0
    skipped: int = 0


class Routed:
    """One version among those that answer: a `backend.Backend` that knows how many requests it has under way."""

    def __init__(self, backend: Backend, router: Router) -> None:
        self.backend = backend
        self.under_way = 0
        self.rests_until = 0.0
        self._router = router

    @property
    def signature(self) -> Signature:
        """Its columns."""
        return self.backend.signature

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""
        return self.backend.provenance

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        """See `backend.Backend`."""
        self.under_way += 1
        try:
            outputs = await self.backend.predict(table, timeout=timeout)
        except Unanswered as error:
            if error.status == 503:
                self.rests_until = time.monotonic() + REST
            raise
        finally:
            self.under_way -= 1
        if self._router.shadows:
            self._router.show(table, outputs)
        return outputs

    async def ready(self) -> bool:
        """Whether it would answer now."""
        return await self.backend.ready()

    async def close(self) -> None:
        """See `backend.Backend`."""
        await self.backend.close()


class Router:
    """The versions of one service that answer. `canaries` and `shadows` are pairs of a backend and its percent."""

    def __init__(
        self, backend: Backend | None = None, *, canaries: Sequence[tuple[Backend, int]] = (),
        shadows: Sequence[tuple[Backend, int]] = (), reason: str = "no model is loaded yet",
    ) -> None:  # fmt: skip
        self.reason = "" if backend is not None else reason
        """Why nothing answers; empty where something does."""
        self._current = Routed(backend, self) if backend is not None else None
        self._canaries = _routed(canaries, self)
        self.shadows = tuple(shadows)
        self.shadow_counts: dict[str, ShadowCounts] = {}
        """Reference of a shadow -> how its answers compare."""
        self._shown: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Backend | None:
        """The version in force."""
        return self._current

    @property
    def canaries(self) -> tuple[tuple[Backend, int], ...]:
        """The canaries and their percent."""
        return tuple(self._canaries)

    @property
    def under_way(self) -> int:
        """Requests that wait for an answer of what is in force."""
        one = self._current.under_way if self._current is not None else 0
        return one + sum(canary.under_way for canary, _ in self._canaries)

    def pick(self, key: str | None = None) -> Backend:
        """Who answers the request with this key (the same one for the same key); by chance where there is none.

        Raises Unanswered (503) where there is no model.
        """
        if self._canaries and (canary := self._canary(key)) is not None:
            return canary
        if self._current is None:
            raise Unanswered(f"No model is ready: {self.reason}.", status=503)
        return self._current

    async def predict(
        self, table: Table, timeout: float | None = None, *, key: str | None = None
    ) -> tuple[Mapping[str, Any], Provenance]:
        """The answer, and whose it is. A canary that is not there is passed over for the version in force."""
        chosen = self.pick(key)
        try:
            return await chosen.predict(table, timeout=timeout), chosen.provenance
        except Unanswered as error:
            current = self._current
            if error.status != 503 or current is None or chosen is current or current.signature != chosen.signature:
                raise
        return await current.predict(table, timeout=timeout), current.provenance

    async def ready(self) -> bool:
        """Whether requests would be answered now."""
        return self._current is not None and await self._current.ready()

    async def swap(self, backend: Backend | None, *, reason: str = "") -> None:
        """From now on this one answers (None: nothing does, for this reason). The old one drains and is closed."""
        old, self._current = self._current, Routed(backend, self) if backend is not None else None
        self.reason = "" if backend is not None else reason or "the model was taken away"
        self._retire([old] if old is not None else [])

    async def set_routes(
        self, *, canaries: Sequence[tuple[Backend, int]] = (), shadows: Sequence[tuple[Backend, int]] = ()
    ) -> None:
        """Other canaries and shadows in place of those there are, which drain and are closed."""
        kept = {id(one) for one, _ in (*canaries, *shadows)}
        old = [one for one, _ in self._canaries] + [Routed(one, self) for one, _ in self.shadows]
        self._canaries, self.shadows = _routed(canaries, self), tuple(shadows)
        self._retire([one for one in old if id(one.backend) not in kept])

    async def close(self) -> None:
        """Answer what is under way, take nothing more, close all versions."""
        await self.swap(None, reason="the service ends")
        await self.set_routes()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def show(self, table: Table, outputs: Mapping[str, Any]) -> None:
        """Let the shadows see a request that was answered, in the background."""
        for shadow, percent in self.shadows:
            if _share(None) >= percent * SHARES // 100:
                continue
            reference = shadow.provenance.reference
            counts = self.shadow_counts.setdefault(reference, ShadowCounts())
            shown = self._shown.get(reference, 0)
            if shown >= SHADOWED or shadow.signature.inputs != table.fields:
                counts.skipped += 1
                continue
            self._shown[reference] = shown + 1
            self._start(self._compare(shadow, table, outputs, counts))

    async def _compare(self, shadow: Backend, table: Table, outputs: Mapping[str, Any], counts: ShadowCounts) -> None:
        try:
            found = await shadow.predict(table, timeout=SHADOW_SECONDS)
        except StrataError:
            counts.failed += 1
        else:
            if agree(found, outputs):
                counts.agreed += 1
            else:
                counts.differed += 1
        finally:
            self._shown[shadow.provenance.reference] -= 1

    def _canary(self, key: str | None) -> Routed | None:
        share = _share(key)
        at = 0
        for canary, percent in self._canaries:
            at += percent * SHARES // 100
            if share < at:
                return canary if canary.rests_until <= time.monotonic() else None
        return None

    def _retire(self, old: Sequence[Routed]) -> None:
        for one in old:
            self._start(_retired(one))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def agree(found: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether two answers are the same but for the last digits of floats."""
    import numpy as np

    if found.keys() != given.keys():
        return False
    for name, array in given.items():
        other = found[name]
        if array.shape != other.shape:
            return False
        floats = array.dtype.kind == "f" and other.dtype.kind == "f"
        same = np.allclose(other, array, rtol=1e-5, atol=1e-6, equal_nan=True) if floats else (other == array).all()
        if not same:
            return False
    return True


async def _retired(one: Routed) -> None:
    """The backend drains by itself; the grace is for who has picked it and asks in this moment."""
    await asyncio.sleep(GRACE)
    with suppress(StrataError):
        await one.backend.close()


def _routed(pairs: Sequence[tuple[Backend, int]], router: Router) -> list[tuple[Routed, int]]:
    return [(Routed(backend, router), percent) for backend, percent in pairs]


def _share(key: str | None) -> int:
    if key is None:
        return random.randrange(SHARES)  # noqa: S311 - a share of the requests is no secret
    return int.from_bytes(hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest()) % SHARES
