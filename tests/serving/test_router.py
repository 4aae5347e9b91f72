"""Who answers: the version in force, canaries by their share, shadows unheard; and nothing is lost by a swap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from strata_git.serving.columns import Table, signature_of
from strata_git.serving.errors import PredictionError, Unanswered
from strata_git.serving.router import Router, agree
from tests.serving.models import COLUMNS, LINEAR
from tests.serving.stand_ins import provenance, rows, scores


class Stub:
    """A backend that answers factor x sepal after a moment, or raises."""

    signature = LINEAR

    def __init__(
        self, version: str, factor: float = 2.0, *, pause: float = 0.0, error: Exception | None = None
    ) -> None:
        self.provenance = provenance(version)
        self.factor = factor
        self.pause = pause
        self.error = error
        self.asked = 0
        self.under_way = 0
        self.closed = False

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        assert not self.closed
        self.asked += 1
        self.under_way += 1
        try:
            await asyncio.sleep(self.pause)
        finally:
            self.under_way -= 1
        if self.error is not None:
            raise self.error
        return {"score": table.matrix("float64")[:, 0] * self.factor}

    async def ready(self) -> bool:
        return not self.closed

    async def close(self) -> None:
        while self.under_way:
            await asyncio.sleep(0.001)
        self.closed = True


def test_nothing_answers_before_a_model_is_there_and_the_reason_is_told() -> None:
    async def main() -> None:
        router = Router(reason="the gate refused")
        assert (router.current, router.reason, await router.ready()) == (None, "the gate refused", False)
        with pytest.raises(Unanswered, match="the gate refused") as error:
            await router.predict(rows(1))
        assert error.value.status == 503
        first = Stub("v1")
        await router.swap(first)
        assert (router.reason, await router.ready()) == ("", True)
        outputs, source = await router.predict(rows(1), 1.0)
        assert (scores(outputs), source.version) == ([2], "v1")
        await router.swap(None, reason="no version is in production")
        assert router.reason == "no version is in production"
        with pytest.raises(Unanswered):
            router.pick()
        await router.close()
        assert first.closed

    asyncio.run(main())


def test_a_swap_loses_no_request_and_mixes_no_versions() -> None:
    async def main() -> None:
        old, new = Stub("v1", 2, pause=0.01), Stub("v2", 3, pause=0.001)
        router = Router(old)
        seen: set[str] = set()
        stop = asyncio.Event()

        async def client(mine: int) -> None:
            while not stop.is_set():
                backend = router.pick(str(mine))
                table = rows(mine)
                outputs = await backend.predict(table, timeout=1)
                factor = {"v1": 2, "v2": 3}[backend.provenance.version]
                assert scores(outputs) == [factor * mine]
                seen.add(backend.provenance.version)

        clients = [asyncio.create_task(client(n)) for n in range(64)]
        await asyncio.sleep(0.05)
        assert router.under_way == 64
        await router.swap(new)
        picked = router.pick()
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*clients)
        assert seen == {"v1", "v2"}
        assert picked.provenance.version == "v2"
        await router.close()
        assert old.closed
        assert new.closed

    asyncio.run(main())


def test_canaries_take_their_share_by_key_and_step_aside_when_they_are_not_there() -> None:
    async def main() -> None:
        canary = Stub("v2", 3)
        router = Router(Stub("v1"), canaries=[(canary, 25)])
        picked = [router.pick(f"request {n}").provenance.version for n in range(2000)]
        assert picked == [router.pick(f"request {n}").provenance.version for n in range(2000)]
        assert 0.2 < picked.count("v2") / 2000 < 0.3
        by_chance = [router.pick().provenance.version for _ in range(2000)]
        assert 0.2 < by_chance.count("v2") / 2000 < 0.3
        key = f"request {picked.index('v2')}"
        outputs, source = await router.predict(rows(1), key=key)
        assert (scores(outputs), source.version) == ([3], "v2")
        canary.error = Unanswered("gone", status=503)
        outputs, source = await router.predict(rows(1), key=key)  # who is in force answers for it, and says so
        assert (scores(outputs), source.version) == ([2], "v1")
        assert router.pick(key).provenance.version == "v1"  # and it is spared for a while
        await router.set_routes(canaries=[(Stub("v3", 4), 100)])
        assert router.pick(key).provenance.version == "v3"
        await router.close()
        assert canary.closed

    asyncio.run(main())


def test_a_canary_that_fails_is_heard() -> None:
    async def main() -> None:
        router = Router(Stub("v1"), canaries=[(Stub("v2", error=PredictionError("no")), 100)])
        with pytest.raises(PredictionError):
            await router.predict(rows(1))
        await router.close()

    asyncio.run(main())


def test_shadows_see_requests_are_compared_and_change_nothing() -> None:
    async def main() -> None:
        wide = Stub("v5")
        wide.signature = signature_of({"signature": {**COLUMNS, "inputs": [{"name": "other", "type": "float64"}]}})
        shadows = {
            "same": Stub("v2", 2), "other": Stub("v3", 9), "broken": Stub("v4", error=Unanswered("gone", status=503)),
            "wide": wide, "never": Stub("v6"), "slow": Stub("v7", pause=0.2),
        }  # fmt: skip
        pairs = [(one, 0 if name == "never" else 100) for name, one in shadows.items()]
        router = Router(Stub("v1"), shadows=pairs)
        for n in range(20):
            outputs, source = await router.predict(rows(n))
            assert (scores(outputs), source.version) == ([2 * n], "v1")
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.3)
        counts = router.shadow_counts
        assert (counts["forest@v2"].agreed, counts["forest@v2"].differed) == (20, 0)
        assert (counts["forest@v3"].agreed, counts["forest@v3"].differed) == (1, 19)  # 0 is 0 for both
        assert counts["forest@v4"].failed == 20
        assert (counts["forest@v5"].skipped, wide.asked) == (20, 0)
        assert shadows["never"].asked == 0
        assert counts["forest@v7"].skipped == 12  # no more than eight at once
        await router.close()
        assert all(one.closed for one in shadows.values())

    asyncio.run(main())


def test_answers_agree_but_for_last_digits() -> None:
    import numpy as np

    one = {"score": np.array([1.0, np.nan]), "name": np.array(["a", "b"], dtype=object)}
    assert agree(one, {"score": np.array([1.000001, np.nan]), "name": np.array(["a", "b"], dtype=object)})
    assert not agree(one, {**one, "score": np.array([1.1, np.nan])})
    assert not agree(one, {**one, "name": np.array(["a", "c"], dtype=object)})
    assert not agree(one, {"score": one["score"]})
    assert not agree(one, {**one, "score": np.array([1.0])})
