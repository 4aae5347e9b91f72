"""What goes round a call, without a network: limits, schemas, prices, recordings."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.errors import StrataError
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models import recorded
from strata_git.pipeline.models.asking import Client, merged
from strata_git.pipeline.models.client import Answer, Question
from strata_git.pipeline.models.cost import cost_of
from strata_git.pipeline.models.limits import Limits, PerMinute
from strata_git.pipeline.models.offline import OfflineModel, smallest
from strata_git.pipeline.models.recorded import RecordedModel
from strata_git.pipeline.models.structured import fitted, read, require_schema
from strata_git.pipeline.prompts import Message

HELLO = Question((Message("user", "Hello there"),))


def asked(model: Any, question: Question = HELLO) -> Answer:
    return anyio.run(Client(model, "offline", "echo").complete, question)


def test_the_echo_is_what_was_asked_and_costs_nothing() -> None:
    answer = asked(OfflineModel("echo"))
    assert (answer.text, answer.cost, answer.counted, answer.finish) == ("Hello there", Decimal(0), False, "stop")


def test_the_digest_depends_on_the_question_alone() -> None:
    first, again, other = (
        asked(OfflineModel("digest"), question).text
        for question in (HELLO, HELLO, Question((Message("user", "Hello here"),)))
    )
    assert first == again != other


def test_an_answer_ends_where_it_must() -> None:
    answer = asked(OfflineModel("echo"), Question((Message("user", "one two three four five six"),), {"max_tokens": 3}))
    assert answer.finish == "length"
    assert "one two three four five six".startswith(answer.text)


@given(
    st.recursive(
        st.sampled_from([{"type": "string"}, {"type": "integer", "minimum": 3}, {"enum": ["x", 1]}, {"type": "null"}]),
        lambda inner: (
            st.builds(lambda one: {"type": "array", "items": one, "minItems": 1}, inner)
            | st.builds(lambda one: {"type": "object", "properties": {"a": one}, "required": ["a"]}, inner)
        ),
        max_leaves=6,
    )
)
def test_the_smallest_value_fits(schema: dict[str, Any]) -> None:
    answer = asked(OfflineModel("echo"), Question(HELLO.messages, schema=schema))
    assert answer.data == smallest(schema) == fitted(answer.text, schema)


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', '  {"a": 1}\n'])
def test_json_is_read_with_and_without_its_fence(text: str) -> None:
    assert read(text) == {"a": 1}


@pytest.mark.parametrize("text", ["", "Sure! {}", '{"a": NaN}', "[" * 100_000, '{"a": 1'])
def test_what_is_no_json_may_be_asked_again(text: str) -> None:
    with pytest.raises(InferenceError, match="is no JSON") as refused:
        read(text)
    assert refused.value.retryable


@pytest.mark.parametrize(
    "schema", [{"type": "nothing"}, {"$ref": "http://example.org/x.json"}, {"items": {"$ref": "f.json"}}]
)
def test_a_schema_looks_nowhere_else(schema: dict[str, Any]) -> None:
    with pytest.raises(StrataError, match=r"prompt\.yaml"):
        require_schema(schema, "prompt.yaml")


def test_a_minute_is_sixty_seconds_long() -> None:
    now = [0.0]
    limit = PerMinute(2, lambda: now[0])
    for _ in range(2):
        assert limit.wait(1) == 0
        limit.take(1)
    assert limit.wait(1) == 60
    now[0] = 59.5
    assert limit.wait(1) == 0.5
    now[0] = 60.0
    assert limit.wait(1) == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(10, 60))
def test_no_minute_has_more_than_it_may(amounts: list[int], most: int) -> None:
    now, taken = [0.0], []

    async def sleep(seconds: float) -> None:
        assert seconds > 0
        now[0] += seconds

    async def work() -> None:
        limits = Limits(None, most, clock=lambda: now[0], sleep=sleep)
        for amount in amounts:
            async with limits.admitted(amount) as settle:
                taken.append((now[0], amount))
                settle(amount)

    anyio.run(work)
    for start, _ in taken:
        within = [amount for moment, amount in taken if start <= moment < start + 60]
        assert sum(within) <= most or len(within) == 1


@pytest.mark.parametrize(
    ("provider", "model", "known"),
    [
        ("openai", "gpt-4o", True), ("azure-openai", "gpt-4o", True), ("offline", "echo", True),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", True), ("azure-openai", "our-deployment", False),
    ],
)  # fmt: skip
def test_prices_that_are_known(provider: str, model: str, known: bool) -> None:
    cost = cost_of(provider, model, taken=1_000_000, given=0)
    assert (cost is not None) == known
    if known and provider != "offline":
        assert Decimal("0.01") < cost < 100  # type: ignore[operator]


def test_a_recording_answers_whoever_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    said = Answer("Hi", model="gpt-4o", input_tokens=3, output_tokens=1, cost=Decimal("0.5"))
    path.write_text(recorded.line(HELLO, said))
    answer = asked(RecordedModel(path))
    assert (answer.text, answer.input_tokens, answer.cost) == ("Hi", 3, Decimal("0.5"))
    with pytest.raises(InferenceError, match="has no answer"):
        asked(RecordedModel(path), Question((Message("user", "Else"),)))


@pytest.mark.parametrize("text", ["[]", "{}", "\x00", '{"question": 1, "text": "x"}', "nothing"])
def test_a_recording_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(StrataError, match=r"a\.jsonl:1"):
        RecordedModel(tmp_path / "a.jsonl")


def test_later_parameters_win_and_none_says_nothing() -> None:
    assert merged({"temperature": 1, "stop": ()}, {"temperature": 0, "seed": None}) == {"temperature": 0}
