"""A model in this process: quick ones answer on the loop, slow ones in a thread, with deadlines and an end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from strata_git.contracts.service import Batch, Limits
from strata_git.serving.backends.in_process import InProcess, quick_rows
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import Table
from strata_git.serving.errors import PredictionError, Unanswered
from tests.serving.models import LINEAR, linear
from tests.serving.stand_ins import Fake, provenance, rows, scores


@pytest.mark.parametrize(("alone", "each", "most"), [(2**-14, 2**-16, 62), (0.002, 0.0, 0), (0.02, 0.0, 0)])
def test_how_many_rows_are_quick(alone: float, each: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Timed(Fake):
        def predict(self, table: Table) -> dict[str, object]:
            nonlocal now
            now += alone + each * (table.rows - 1)
            return super().predict(table)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert quick_rows(Timed()) == most  # QUICK is a millisecond: 1 + (1000 - 61.0) / 15.3 rows


def test_quick_models_answer_on_the_loop_and_slow_ones_do_not_hold_it_up() -> None:
    onnx = OnnxModel(linear(), LINEAR)
    assert quick_rows(onnx) >= 1
    assert quick_rows(Fake(slow=0.02)) == 0
    seen: list[str] = []

    class Telling(Fake):
        def predict(self, table: Table) -> dict[str, object]:
            seen.append(threading.current_thread().name)
            return super().predict(table)

    async def main() -> None:
        quick, slow = InProcess(Telling(), provenance()), InProcess(Telling(slow=0.02), provenance("v2"))
        seen.clear()
        assert scores(await quick.predict(rows(1, 2))) == [2, 4]
        here = threading.current_thread().name
        assert seen == [here]
        assert (slow.signature, slow.provenance.version, await slow.ready()) == (LINEAR, "v2", True)
        seen.clear()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        answers = await asyncio.gather(*(slow.predict(rows(n)) for n in range(30)))
        ticking.cancel()
        assert [scores(one) for one in answers] == [[2 * n] for n in range(30)]
        assert len(seen) <= 3  # 1, then all that waited
        assert set(seen) == {"predictions"}
        assert ticks > 5
        await quick.close()
        await slow.close()
        await slow.close()
        assert not await slow.ready()
        with pytest.raises(Unanswered, match="taken away"):
            await slow.predict(rows(1))

    asyncio.run(main())


def test_what_comes_in_one_turn_of_the_loop_is_answered_together() -> None:
    async def main() -> None:
        model = Fake()
        made = InProcess(model, provenance(), Batch(rows=8), Limits(queue=3))
        made._quick_rows, made._is_instant = 64, False  # as of a model that is worth company, on any machine
        model.calls.clear()
        asked = [1.0, -1.0, *map(float, range(10))]
        gone = asyncio.create_task(made.predict(rows(99)))
        tasks = [asyncio.create_task(made.predict(rows(n), timeout=20)) for n in asked]
        await asyncio.sleep(0)
        gone.cancel()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(told[1], PredictionError)
        assert [scores(one) for one in (told[0], *told[2:])] == [[2], *([2.0 * n] for n in range(10))]
        assert model.calls == [8, *[1] * 8, 4]  # nobody is asked for who has gone
        model.hold.clear()
        model.entered.clear()
        long = asyncio.create_task(made.predict(rows(*range(100)), timeout=20))
        await asyncio.to_thread(model.entered.wait, 20)
        waiting = [asyncio.create_task(made.predict(rows(n), timeout=20)) for n in range(5)]
        await asyncio.sleep(0.01)
        model.hold.set()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [scores(one) for one in ended[:3]] == [[0], [2], [4]]
        assert [one.status for one in ended[3:]] == [429, 429]
        assert len((await long)["score"]) == 100
        await made.close()

    asyncio.run(main())


def test_deadlines_cancellation_and_a_full_queue() -> None:
    async def main() -> None:
        model = Fake(slow=0.02)
        made = InProcess(model, provenance(), Batch(), Limits(queue=2, drain_ms=5000))
        model.hold.clear()
        model.entered.clear()
        model.calls.clear()
        first = asyncio.create_task(made.predict(rows(1)))
        while not model.entered.is_set():
            await asyncio.sleep(0.001)
        begun = time.monotonic()
        with pytest.raises(Unanswered) as error:
            await made.predict(rows(2), timeout=0.02)
        assert error.value.status == 504
        assert time.monotonic() - begun < 2
        gone = asyncio.create_task(made.predict(rows(3)))
        await asyncio.sleep(0)
        with pytest.raises(Unanswered) as error:
            await made.predict(rows(4))
        assert (error.value.status, made.waiting) == (429, 2)
        gone.cancel()
        closing = asyncio.create_task(made.close())
        await asyncio.sleep(0.02)
        assert not closing.done()  # what is under way is answered first
        model.hold.set()
        assert scores(await first) == [2]
        await closing
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert model.calls == [1]

    asyncio.run(main())


def test_failures_and_models_whose_rows_must_not_be_mixed() -> None:
    async def main() -> None:
        model = Fake(slow=0.02)
        model.rowwise = False  # type: ignore[attr-defined]
        made = InProcess(model, provenance())
        model.calls.clear()
        told = await asyncio.gather(*(made.predict(rows(n)) for n in (1, -1, 2)), return_exceptions=True)
        assert isinstance(told[1], PredictionError)
        assert (scores(told[0]), scores(told[2])) == ([2], [4])
        assert model.calls == [1, 1, 1]
        await made.close()

    asyncio.run(main())


def test_a_prediction_that_does_not_end_is_told() -> None:
    end = threading.Event()

    class Hanging(Fake):
        rowwise = False

        def predict(self, table: Table) -> dict[str, object]:
            end.wait(20)
            return super().predict(table)

    async def main() -> None:
        backend = InProcess(Hanging(), provenance(), limits=Limits(deadline_ms=10))
        assert await backend.ready()
        with pytest.raises(Unanswered, match="deadline"):
            await backend.predict(rows(1), timeout=0.01)
        await asyncio.sleep(0.05)
        assert not await backend.ready()
        end.set()
        await asyncio.sleep(0.05)
        assert await backend.ready()
        await backend.close()

    asyncio.run(main())
