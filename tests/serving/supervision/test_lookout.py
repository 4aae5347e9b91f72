"""A ledger that cannot be asked is told of once, and what was to be asked anew is asked anew later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.supervision.decision import Standing
from strata_git.serving.supervision.lookout import Lookout

V1 = Standing("one", "v1")


class Answers:
    """A watch that has these answers; `asked` is what it was asked with."""

    def __init__(self, *answers: dict[str, Standing] | StrataError | None) -> None:
        self.answers, self.asked = list(answers), list[bool]()

    async def ask(self, *, again: bool, also: Mapping[str, str]) -> dict[str, Standing] | None:
        assert also == {}
        self.asked.append(again)
        answer = self.answers.pop(0)
        if isinstance(answer, StrataError):
            raise answer
        return answer

    def close(self) -> None:
        self.answers = []


def test_trouble_is_said_once_and_restlessness_outlives_it() -> None:
    async def main() -> None:
        said: list[tuple[str, str]] = []
        watch: Any = Answers(None, StrataError("no git"), StrataError("no git"), {"forest@v1": V1}, None)
        lookout = Lookout(watch, lambda level, text: said.append((level, text)))
        assert await lookout.ask([]) == {}
        lookout.restless = True
        assert [await lookout.ask([]) for _ in range(2)] == [{}, {}]
        assert lookout.trouble == "no git"
        assert said == [("error", "the ledger cannot be asked: no git")]
        assert await lookout.ask([]) == {"forest@v1": V1}
        assert (lookout.trouble, lookout.restless) == ("", False)
        assert await lookout.ask([]) == {}
        assert watch.asked == [False, True, True, True, False]
        lookout.close()
        assert watch.answers == []

    asyncio.run(main())
