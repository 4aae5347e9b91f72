"""What a running service does when the ledger says something new, told without processes and without git."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from strata_git.errors import StrataError
from strata_git.serving.router import Router
from strata_git.serving.supervision.child import ChildRefused
from strata_git.serving.supervision.decision import Serving, Standing, decide, may_stay
from strata_git.serving.supervision.following import FIRST_REST, LONGEST_REST, Follower
from strata_git.serving.supervision.opening import Opened
from tests.serving.supervision.answering import backed

STAGES = (("v1", "production"), ("v2", "staging"))
AFTER = (("v1", "experimental"), ("v2", "production"))
V1 = Standing("one", "v1", stages=STAGES)
V2 = Standing("two", "v2", stages=AFTER)
GONE = Standing(refused="no version is in production of forest")


@pytest.mark.parametrize(
    ("standing", "serving", "deed"),
    [
        (V1, Serving(), "load"),
        (V1, Serving("v1", "one"), "keep"),
        (V2, Serving("v1", "one"), "load"),
        (GONE, Serving("v1", "one"), "withdraw"),
        (GONE, Serving(), "withdraw"),
        (Standing("one", "v1", flaws=(("v1", "it was altered"),)), Serving("v1", "one"), "withdraw"),
        (Standing("two", "v2", flaws=(("v2", "it was altered"),)), Serving("v1", "one"), "load"),
    ],
)
def test_what_is_done(standing: Standing, serving: Serving, deed: str) -> None:
    assert decide(standing, serving)[0] == deed


@pytest.mark.parametrize(
    ("stages", "flaws", "stays"),
    [
        ((("v1", "experimental"), ("v2", "production")), (), True),  # displaced
        ((("v1", "production"), ("v2", "production")), (), True),
        ((("v1", "staging"), ("v2", "production")), (), False),  # somebody demoted it
        ((("v1", "archived"), ("v2", "production")), (), False),
        ((("v2", "production"),), (), False),  # nothing vouches for it
        (AFTER, (("v1", "it was altered"),), False),
        (AFTER, (("v2", "it was altered"),), True),
    ],
)
def test_who_may_stay_when_its_successor_was_refused(
    stages: Sequence[tuple[str, str]], flaws: Sequence[tuple[str, str]], stays: bool
) -> None:
    standing = Standing("two", "v2", flaws=tuple(flaws), stages=tuple(stages))
    assert may_stay(standing, Serving("v1", "one"), "production") is stays
    assert not may_stay(standing, Serving(), "production")
    for place in ("production", "archived"):  # one version for ever is served wherever it is
        assert may_stay(Standing("two", "v1", stages=(("v1", place),)), Serving("v1", "one"), "")


@dataclass
class Shop:
    """A follower before an opener that gives what it is told to."""

    offered: list[Any] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    time: float = 0.0

    def __post_init__(self) -> None:
        self.router = Router()
        self.follower = Follower("forest@production", self, self.put, self.say, clock=lambda: self.time)

    async def open(self, reference: str, *, tried: bool) -> Opened:
        assert reference == "forest@production"
        self.asked.append(tried)
        offer = self.offered.pop(0)
        if isinstance(offer, Exception):
            raise offer
        version, event = offer
        return Opened(backed(version), event, (("ledger", "passed", version),))

    async def put(self, backend: Any, reason: str) -> None:
        await self.router.swap(backend, reason=reason)

    def say(self, level: str, text: str) -> None:
        self.log.append((level, text))

    @property
    def answers(self) -> str:
        return self.router.current.provenance.version if self.router.current is not None else ""


def refusal() -> ChildRefused:
    steps = (("ledger", "passed", ""), ("golden", "refused", "they do not come out again"))
    return ChildRefused("forest@production is not served (golden): they do not come out again", "golden", steps)


def test_a_successor_takes_over_once_it_was_tried() -> None:
    async def main() -> None:
        shop = Shop([("v1", "one"), ("v2", "two")])
        await shop.follower.start()
        await shop.follower.look(V1)
        assert (shop.answers, shop.asked) == ("v1", [False])
        await shop.follower.look(V2)
        assert (shop.answers, shop.asked) == ("v2", [False, True])
        assert shop.follower.condition.ready
        assert shop.follower.condition.event == "two"
        await shop.router.close()

    asyncio.run(main())


def test_what_was_refused_is_tried_again_and_again_with_longer_rests_between() -> None:
    async def main() -> None:
        shop = Shop([("v1", "one"), *(refusal() for _ in range(20)), ("v2", "two")])
        await shop.follower.start()
        tries = []
        while shop.answers == "v1":
            before = len(shop.asked)
            await shop.follower.look(V2)
            if len(shop.asked) > before:
                tries.append(shop.time)
            if shop.answers == "v1":
                assert shop.follower.condition.reason.endswith("they do not come out again")
                assert shop.follower.condition.steps[-1][:2] == ("golden", "refused")
            assert shop.follower.is_due is (shop.answers == "v1" and shop.time >= tries[-1] + LONGEST_REST)
            shop.time += 1
        rests = [after - before for before, after in pairwise(tries)]
        assert rests[:3] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]
        assert max(rests) == LONGEST_REST
        assert (shop.answers, shop.follower.condition.reason) == ("v2", "")
        await shop.router.close()

    asyncio.run(main())


def test_what_the_gate_refuses_at_the_start_is_waited_for_if_asked() -> None:
    async def main() -> None:
        shop = Shop([refusal(), StrataError("the disk is full"), refusal(), ("v1", "one")])
        for error in (ChildRefused, StrataError):
            with pytest.raises(error):
                await shop.follower.start(wait=error is StrataError)  # what the gate did not say is not waited for
        await shop.follower.start(wait=True)
        assert (shop.answers, shop.follower.condition.steps[-1][:2]) == ("", ("golden", "refused"))
        assert shop.router.reason.endswith("do not come out again; it is waited for")
        await shop.follower.look(V1)
        assert (shop.answers, shop.follower.condition.reason) == ("v1", "")
        await shop.router.close()

    asyncio.run(main())


def test_the_version_before_ends_with_what_vouched_for_it() -> None:
    async def main() -> None:
        shop = Shop([("v1", "one"), refusal(), ("v1", "three")])
        await shop.follower.start()
        await shop.follower.look(V2)
        assert shop.answers == "v1"
        await shop.follower.look(Standing("two", "v2", stages=(("v1", "archived"), ("v2", "production"))))
        assert (shop.answers, len(shop.asked)) == ("", 2)  # nobody tried anything to find that out
        assert "nothing vouches for v1" in shop.router.reason
        await shop.follower.look(GONE)
        assert shop.router.reason == GONE.refused  # the last reason is the one that is told
        await shop.follower.look(Standing("three", "v1", stages=STAGES))
        assert (shop.answers, shop.asked) == ("v1", [False, True, False])
        await shop.follower.look(GONE)
        assert (shop.answers, shop.follower.condition.reason) == ("", GONE.refused)
        await shop.router.close()

    asyncio.run(main())


def test_code_that_changed_is_tried_at_once_and_its_errors_end_nothing() -> None:
    async def main() -> None:
        shop = Shop([("v1", "one"), StrataError("predict.py:3: no such name"), ("v1", "one")])
        await shop.follower.start()
        await shop.follower.look(V1, anew=True)
        assert (shop.answers, shop.log[-1][0]) == ("v1", "error")
        assert "predict.py:3" in shop.follower.condition.reason
        await shop.follower.look(V1, anew=True)  # mended before any rest was over
        assert (shop.answers, shop.follower.condition.reason) == ("v1", "")
        await shop.router.close()

    asyncio.run(main())
