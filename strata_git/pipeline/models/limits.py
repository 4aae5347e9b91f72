"""How hard a provider may be asked: so many requests, and so many tokens, in any minute; so many calls at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(slots=True)
class PerMinute:
    """At most `most` units in any sixty seconds. What is taken at once and is more than that waits for an empty minute.

    Units are taken before a call by estimate and `settle`d after it, because only the answer tells what it took.
    """

    most: int
    clock: Callable[[], float] = time.monotonic
    _taken: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def wait(self, units: int) -> float:
        """Seconds until `units` may be taken; 0 when they may now."""
        now = self.clock()
        while self._taken and self._taken[0][0] <= now - MINUTE:
            self._sum -= self._taken.popleft()[1]
        over = self._sum + units - self.most
        if over <= 0 or not self._taken:
            return 0.0
        for moment, amount in self._taken:
            over -= amount
            if over <= 0:
                return max(0.0, moment + MINUTE - now)
        return max(0.0, self._taken[-1][0] + MINUTE - now)

    def take(self, units: int) -> None:
        self._taken.append((self.clock(), units))
        self._sum += units

    def settle(self, estimated: int, actual: int) -> None:
        """Correct the latest estimate by what it really was."""
        if actual != estimated:
            self._taken.append((self.clock(), actual - estimated))
            self._sum += actual - estimated


class Limits:
    """All the limits of one provider; any number of tasks of one event loop may ask."""

    def __init__(
        self,
        requests: int | None = None,
        tokens: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._requests = PerMinute(requests, clock) if requests else None
        self._tokens = PerMinute(tokens, clock) if tokens else None
        self._sleep = sleep

    @asynccontextmanager
    async def admitted(self, estimated: int) -> AsyncIterator[Callable[[int], None]]:
        """Wait until a call of about `estimated` tokens may be made; what is yielded is told how many it took."""
        await self._enter(estimated)

        def settle(actual: int) -> None:
            if self._tokens is not None:
                self._tokens.settle(estimated, actual)

        yield settle

    async def _enter(self, estimated: int) -> None:
        while wait := max(
            self._requests.wait(1) if self._requests else 0.0, self._tokens.wait(estimated) if self._tokens else 0.0
        ):
            await self._slept(wait)
        if self._requests is not None:  # nothing was awaited since it was found free: no other task came between
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(estimated)

    async def _slept(self, seconds: float) -> None:
        if self._sleep is not None:
            await self._sleep(seconds)
            return
        import anyio

        await anyio.sleep(seconds)
