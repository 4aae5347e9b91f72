"""Requests that wait are answered together, each with its own rows, and none pays for another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event, Thread

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving.batching import Batcher, Job, answer, joined
from strata_git.serving.columns import Table
from strata_git.serving.errors import PredictionError, Unanswered
from tests.serving.models import LINEAR, MIXED
from tests.serving.stand_ins import Fake, rows, scores


def tell(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.token.set()


def batcher(model: Fake, **options: float) -> Batcher:
    return Batcher(model.predict, LINEAR, tell, **options)  # type: ignore[arg-type]


def job(*sepals: float, deadline: float | None = None) -> Job:
    return Job(rows(*sepals), deadline, Event())


def done(one: Job) -> list[float]:
    assert one.token.wait(20)
    return scores(one.result)


def test_what_waits_goes_together_the_oldest_first_and_as_many_rows_as_are_allowed() -> None:
    model = Fake(held=True)
    made = batcher(model, rows=4)
    jobs = [job(1), job(2), job(3, 4), job(5), job(*range(10)), job(6)]
    made.submit(jobs[0])
    assert model.entered.wait(20)
    for one in jobs[1:]:
        made.submit(one)
    assert made.waiting == 5
    assert made.at_once(rows(1)) is None  # the model is busy, and others are first
    model.hold.set()
    assert [done(one) for one in jobs] == [[2], [4], [6, 8], [10], [2.0 * n for n in range(10)], [12]]
    assert model.calls == [1, 4, 10, 1]  # a request with many rows goes alone, in its turn
    answered = made.at_once(rows(7))  # nobody waits: in this thread
    assert answered is not None
    assert scores(answered) == [14]
    made.close()
    with pytest.raises(Unanswered, match="taken away"):
        made.submit(job(1))


def test_a_bad_request_fails_alone() -> None:
    jobs = [job(1), job(-1), job(2, 3), job(-2)]
    model = Fake()
    answer(model.predict, jobs, LINEAR)
    assert model.calls == [5, 1, 1, 2, 1]
    assert [scores(one.result) for one in (jobs[0], jobs[2])] == [[2], [4, 6]]
    for bad, words in ((jobs[1], "ValueError"), (jobs[3], "ZeroDivisionError")):
        with pytest.raises(PredictionError, match=words) as error:
            _ = bad.result
        assert "secret" not in str(error.value)


def test_too_many_late_and_forgotten_requests() -> None:
    model = Fake(held=True)
    made = batcher(model, queue=3)
    first = job(1)
    made.submit(first)
    assert model.entered.wait(20)
    late, forgotten, sound = job(2, deadline=time.monotonic() + 0.01), job(3), job(4)
    for one in (late, forgotten, sound):
        made.submit(one)
    with pytest.raises(Unanswered) as error:
        made.submit(job(5))
    assert error.value.status == 429
    forgotten.dropped = True
    time.sleep(0.02)
    model.hold.set()
    assert (done(first), done(sound)) == ([2], [8])
    assert late.token.wait(20)
    with pytest.raises(Unanswered) as error:
        _ = late.result
    assert error.value.status == 504
    assert model.calls == [1, 1]  # nothing is computed that nobody hears
    made.close()


def test_company_is_waited_for_only_where_that_is_asked_for() -> None:
    model = Fake()
    made = batcher(model, wait=5.0, rows=3)
    begun = time.monotonic()
    jobs = [job(1), job(2), job(3)]
    assert made.at_once(rows(1)) is None
    for one in jobs:
        made.submit(one)
    assert [done(one) for one in jobs] == [[2], [4], [6]]
    assert time.monotonic() - begun < 4  # a full batch waits for nobody
    assert model.calls == [3]
    made.close()
    short = batcher(model, wait=0.02, rows=3)
    alone = job(4)
    begun = time.monotonic()
    short.submit(alone)
    assert done(alone) == [8]
    assert time.monotonic() - begun >= 0.02
    short.close()


def test_many_threads_get_their_own_answers() -> None:
    model = Fake()
    made = batcher(model, rows=8)
    wrong: list[float] = []

    def ask(mine: int) -> None:
        for step in range(40):
            value = float(mine * 1000 + step)
            outputs = made.at_once(rows(value))
            if outputs is None:
                one = job(value)
                made.submit(one)
                found = done(one)
            else:
                found = scores(outputs)
            if found != [2 * value]:
                wrong.append(value)

    threads = [Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(model.calls) == 320
    made.close()


def test_columns_of_any_type_are_joined() -> None:
    def table(count: int, at: int) -> Table:
        arrays = [
            np.arange(at, at + count, dtype="int32"), np.ones(count, dtype="float32"),
            np.array([f"plan {n}" for n in range(count)], dtype=object), np.zeros(count, dtype=bool),
            np.full((count, 2), at, dtype="float64"),
        ]  # fmt: skip
        return Table(MIXED.inputs, count, arrays)

    both = joined([table(2, 0), table(1, 5)], MIXED)
    assert both.rows == 3
    assert both.columns["age"].tolist() == [0, 1, 5]
    assert both.columns["plan"].tolist() == ["plan 0", "plan 1", "plan 0"]
    assert both.columns["trace"].tolist() == [[0, 0], [0, 0], [5, 5]]
    assert [one.dtype.kind for one in both.arrays] == ["i", "f", "O", "b", "f"]


def test_errors_of_its_own_pass_through() -> None:
    def refuse(_: Table) -> dict[str, object]:
        raise StrataError("not today")

    one = job(1)
    answer(refuse, [one], LINEAR)
    with pytest.raises(StrataError, match="not today"):
        _ = one.result
