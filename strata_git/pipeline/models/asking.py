"""One call of a model with all that goes round it: remembered answers, limits, retries, schema, cost, spans."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.documents.tokens import Tokenizer, tokenizer
from strata_git.pipeline.errors import InferenceError, PipelineError
from strata_git.pipeline.models.client import Answer, Listener, Question, Respondent
from strata_git.pipeline.models.cost import cost_of
from strata_git.pipeline.models.limits import Limits
from strata_git.pipeline.observability.counters import Counters
from strata_git.pipeline.observability.spans import Spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import anyio

    from strata_git.pipeline.models.memory import Memory

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
ASSUMED_OUTPUT = 256
"""Tokens of an answer whose length nobody limited, for the limit of tokens a minute."""


@dataclass(slots=True)
class Client:
    """Asks `respondent`; safe for any number of tasks of one event loop.

    `provider` and `priced` are what the price list calls who answers. `memory` None: nothing is remembered. `at_once`
    is how many calls may be made at the same time (None: as many as are asked for).
    """

    respondent: Respondent
    provider: str
    priced: str
    memory: Memory | None = None
    limits: Limits = field(default_factory=Limits)
    backoff: Backoff = field(default_factory=Backoff)
    counters: Counters = field(default_factory=Counters)
    spans: Spans = field(default_factory=Spans)
    at_once: int | None = None
    sleep: Sleep | None = None
    _limiter: anyio.CapacityLimiter | None = None
    _turns: Turns = field(default_factory=lambda: Turns())

    async def complete(self, question: Question, on_text: Listener | None = None) -> Answer:
        """The answer; equal questions that are asked at the same time are asked once.

        Raises InferenceError: at once where asking again would not help, else after the last attempt.
        """
        try:
            key = question.digest(self.respondent.name)
        except ValueError as error:
            raise InferenceError(f"The question cannot be written down: {printable(str(error))}.") from None
        async with self._turns.alone(key):
            remembered = self.memory.recall(key) if self.memory else None
            if remembered is not None:
                self.counters.add(cached=1)
                if on_text is not None:
                    on_text(remembered.text)
                return remembered
            async with self._one_of_many():
                answer = await self._asked(question, on_text)
            if self.memory is not None:
                self.memory.keep(key, answer)
        return answer

    async def close(self) -> None:
        """Let go of connections."""
        await self.respondent.close()

    async def _asked(self, question: Question, on_text: Listener | None) -> Answer:
        counting = tokenizer(self.priced)
        estimated = _estimate(question, counting)
        return await persistent(
            lambda attempt: self._attempt(question, on_text, attempt, estimated),
            self.backoff,
            self.counters,
            self.sleep,
        )

    async def _attempt(self, question: Question, on_text: Listener | None, attempt: int, estimated: int) -> Answer:
        from strata_git.pipeline.models.structured import fitted

        begun = time.monotonic()
        said = [{"role": one.role, "content": one.content} for one in question.messages]
        told = {name: value for name, value in question.parameters.items() if name in ("temperature", "max_tokens")}
        async with self.limits.admitted(estimated) as settle:
            with self.spans.call(self.provider, self.respondent.name.partition(":")[2], messages=said, **told) as span:
                answer = await _unhurried(self.respondent, question, on_text)
                settle(answer.input_tokens + answer.output_tokens)
                cost = answer.cost if answer.cost is not None else self._price(answer)
                answer = replace(answer, cost=cost, attempts=attempt, seconds=time.monotonic() - begun)
                self._count(answer)
                span.answered(
                    model=answer.model, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens,
                    finish_reason=answer.finish, answer=answer.text,
                )  # fmt: skip
                return answer if question.schema is None else replace(answer, data=fitted(answer.text, question.schema))

    def _price(self, answer: Answer) -> Any:
        return cost_of(
            self.provider, self.priced, taken=answer.input_tokens, given=answer.output_tokens,
            cached=answer.cached_tokens,
        )  # fmt: skip

    def _count(self, answer: Answer) -> None:
        """Also an answer that turns out to be unfit was paid for."""
        self.counters.add(calls=1, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens)
        if answer.cost is not None:
            self.counters.spend(answer.cost)

    @asynccontextmanager
    async def _one_of_many(self) -> AsyncIterator[None]:
        if self.at_once is None:
            yield
            return
        import anyio

        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self.at_once)
        async with self._limiter:
            yield


@dataclass(slots=True)
class Turns:
    """Those who ask the same wait for one another."""

    _waiting: dict[str, tuple[anyio.Lock, list[int]]] = field(default_factory=dict)

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Nobody else asks the same meanwhile."""
        import anyio

        lock, users = self._waiting.setdefault(key, (anyio.Lock(), [0]))
        users[0] += 1
        try:
            async with lock:
                yield
        finally:
            users[0] -= 1
            if not users[0]:
                self._waiting.pop(key, None)


async def persistent(
    attempt: Callable[[int], Awaitable[T]], backoff: Backoff, counters: Counters, sleep: Sleep | None = None
) -> T:
    """What `attempt` (told which one it is) gives, tried again while that may help. Raises the last PipelineError."""
    for number in range(1, backoff.attempts + 1):
        try:
            return await attempt(number)
        except PipelineError as error:
            wait = backoff.wait(number, error.retry_after)
            if not error.retryable or number == backoff.attempts or wait is None:
                raise
            counters.add(retries=1)
            backoff.retried(error, wait)
            await _slept(wait, sleep)
    raise AssertionError("unreachable: attempts is at least 1")


async def _slept(seconds: float, sleep: Sleep | None) -> None:
    if sleep is not None:
        await sleep(seconds)
        return
    import anyio

    await anyio.sleep(seconds)


async def _unhurried(respondent: Respondent, question: Question, on_text: Listener | None) -> Answer:
    """Ask, and wait for the answer even where somebody else's failure ends the work: it will have to be paid for."""
    import anyio

    with anyio.CancelScope(shield=True):
        answer = await respondent.respond(question, on_text)
    return answer  # noqa: RET504 - the scope may swallow what ends it, and mypy knows


def _estimate(question: Question, counting: Tokenizer) -> int:
    """Tokens that a call will take, in and out, as far as one can know beforehand."""
    most = question.parameters.get("max_tokens")
    return sum(counting.count(one.content) for one in question.messages) + (
        most if isinstance(most, int) else ASSUMED_OUTPUT
    )


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a call: later layers win, what is None says nothing."""
    return {name: value for layer in layers for name, value in layer.items() if value not in (None, ())}
