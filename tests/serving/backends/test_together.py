"""Requests for a model elsewhere: alone they go at once, many go in one call, and none pays for another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from strata_git.serving.backends.together import Together
from strata_git.serving.columns import Table
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from tests.serving.models import LINEAR
from tests.serving.stand_ins import rows, scores


class Remote:
    """Answers 2 x sepal once it is let. -1 is a bad row, -3 finds nobody there."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.timeouts: list[float | None] = []
        self.free = asyncio.Event()

    async def send(self, table: Table, timeout: float | None) -> Any:
        self.calls.append(table.rows)
        self.timeouts.append(timeout)
        await self.free.wait()
        sepal = table.matrix("float64")[:, 0]
        for value, error in (
            (-1, PredictionError("no")),
            (-2, RequestError("bad", field="sepal")),
            (-3, Unanswered("gone", status=503)),
        ):
            if (sepal == value).any():
                raise error
        return {"score": sepal * 2}


def test_what_waits_goes_in_one_call_in_its_order() -> None:
    async def main() -> None:
        remote = Remote()
        made = Together(remote.send, LINEAR, rows=4, queue=100, at_once=1)
        asked = [(1.0,), (2.0,), (3.0, 4.0), (5.0,), tuple(map(float, range(9))), (6.0,)]
        tasks = [asyncio.create_task(made.predict(rows(*one), 20)) for one in asked]
        await asyncio.sleep(0)
        assert remote.calls == [1, 9]  # the first goes at once, and so does what nothing could go with
        remote.free.set()
        answers = await asyncio.gather(*tasks)
        assert [scores(one) for one in answers] == [[2 * n for n in one] for one in asked]
        assert remote.calls == [1, 9, 4, 1]
        assert scores(await made.predict(rows(7), None)) == [14]
        assert remote.timeouts[-1] is None

    asyncio.run(main())


def test_bad_requests_fail_alone_and_what_finds_nobody_fails_together() -> None:
    async def main() -> None:
        remote = Remote()
        made = Together(remote.send, LINEAR, rows=64, queue=100, at_once=1)
        tasks = [asyncio.create_task(made.predict(rows(n), 20)) for n in (0, 1, -1, 2, -2)]
        await asyncio.sleep(0)
        remote.free.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [scores(told[n]) for n in (0, 1, 3)] == [[0], [2], [4]]
        assert isinstance(told[2], PredictionError)
        assert isinstance(told[4], RequestError)
        assert remote.calls == [1, 4, 1, 1, 1, 1]
        remote.free.clear()
        tasks = [asyncio.create_task(made.predict(rows(n), 20)) for n in (0, 1, -3)]
        await asyncio.sleep(0)
        remote.free.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in told[1:]] == [Unanswered, Unanswered]

    asyncio.run(main())


def test_deadlines_cancellation_and_a_full_queue() -> None:
    async def main() -> None:
        remote = Remote()
        made = Together(remote.send, LINEAR, rows=64, queue=2, at_once=1)
        first = asyncio.create_task(made.predict(rows(1), 20))
        await asyncio.sleep(0)
        with pytest.raises(Unanswered) as late:
            await made.predict(rows(2), 0.01)
        assert late.value.status == 504
        gone = asyncio.create_task(made.predict(rows(3), None))
        await asyncio.sleep(0)
        with pytest.raises(Unanswered) as full:
            await made.predict(rows(4), 20)
        assert full.value.status == 429
        gone.cancel()
        remote.free.set()
        assert scores(await first) == [2]
        await asyncio.sleep(0)
        assert remote.calls == [1]  # nothing is asked that nobody hears
        assert scores(await made.predict(rows(5), 20)) == [10]

    asyncio.run(main())


def test_a_client_that_goes_away_leaves_its_neighbours_alone() -> None:
    async def main() -> None:
        remote = Remote()
        made = Together(remote.send, LINEAR, rows=64, queue=9, at_once=1)
        tasks = [asyncio.create_task(made.predict(rows(n), 20)) for n in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # the call that is under way
        await asyncio.sleep(0.001)
        assert remote.calls == [1, 3]
        tasks[2].cancel()
        remote.free.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [scores(told[n]) for n in (1, 3)] == [[2], [6]]

    asyncio.run(main())
