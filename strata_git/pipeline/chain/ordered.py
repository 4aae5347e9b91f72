"""Work on many things at once whose results come out in the order in which the things went in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 4
"""How many things a worker may be ahead of the slowest."""


async def each(things: Iterator[T], work: Callable[[T], Awaitable[R]], put: Callable[[R], None], at_once: int) -> None:
    """`put(await work(thing))` for every thing, in order; `at_once` of them are worked on at the same time.

    What waits for its turn is bounded, so neither the things nor the results are ever all in memory. Raises what the
    first failing work raised, and lets the others go.
    """
    import anyio

    limiter, room = anyio.CapacityLimiter(at_once), anyio.Semaphore(at_once * AHEAD)
    waiting: dict[int, R] = {}
    following = 0

    async def one(place: int, thing: T) -> None:
        nonlocal following
        async with limiter:
            waiting[place] = await work(thing)
        while following in waiting:
            put(waiting.pop(following))
            following += 1
            room.release()

    try:
        async with anyio.create_task_group() as group:
            for place, thing in enumerate(things):
                await room.acquire()
                group.start_soon(one, place, thing)
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that the others followed from; a request to stop goes before all else."""
    found: list[BaseException] = []
    pending: list[BaseException] = [failures]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseExceptionGroup):
            pending[:0] = one.exceptions
        else:
            found.append(one)
    stopped = [one for one in found if not isinstance(one, Exception)]
    return (stopped or found)[0]
