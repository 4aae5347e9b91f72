"""Providers through their own SDKs, against an endpoint on this machine that speaks their protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from strata_git.contracts.base import parse
from strata_git.contracts.pipeline import Pipelines
from strata_git.load import dump_yaml, load_yaml
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.asking import Client
from strata_git.pipeline.models.catalog import open_client
from strata_git.pipeline.models.client import Answer, Question
from strata_git.pipeline.models.memory import Memory
from strata_git.pipeline.prompts import Message
from strata_git.pipeline.secrets.resolve import Secrets
from tests.support.llm_server import Endpoint, serving

pytestmark = pytest.mark.heavy
CANARY = "sk-canary-93b1f0c2d4"
PROVIDERS = ("openai", "azure-openai", "bedrock")
HELLO = Question((Message("system", "Be brief."), Message("user", "Hello")), {"temperature": 0, "max_tokens": 20})


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as one:
        yield one


def settings(provider: str, endpoint: Endpoint, **more: Any) -> Pipelines:
    inference: dict[str, Any] = {"provider": provider, "model": "gpt-4o", "endpoint": endpoint.url, "key": "k"}
    inference |= {"retry": {"attempts": 4, "wait_ms": 1}, "timeout_s": 1, **more}
    if provider == "openai":
        inference["endpoint"] += "/v1"
    if provider == "bedrock":
        inference["model"] = "anthropic.claude-3-haiku-20240307-v1:0"
        del inference["key"]
    keys = {"k": {"from": "env", "name": "PROVIDER_KEY"}}
    return parse(Pipelines, load_yaml(dump_yaml({"keys": keys, "inference": {"default": inference}})))


def client(provider: str, endpoint: Endpoint, place: Path, memory: Memory | None = None, **more: Any) -> Client:
    pipelines = settings(provider, endpoint, **more)
    environ: Mapping[str, str] = {"PROVIDER_KEY": CANARY, "AWS_REGION": "eu-central-1"}
    secrets = Secrets(pipelines.keys, environ, place)
    return open_client(pipelines, "default", root=place, secrets=secrets, environ=environ, memory=memory)


def asked(one: Client, question: Question = HELLO, heard: list[str] | None = None) -> Answer:
    async def work() -> Answer:
        try:
            return await one.complete(question, None if heard is None else heard.append)
        finally:
            await one.close()

    return anyio.run(work)


@pytest.fixture(autouse=True)
def amazon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_with_its_tokens_and_its_price(provider: str, endpoint: Endpoint, tmp_path: Path) -> None:
    answer = asked(client(provider, endpoint, tmp_path))
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.counted) == ("An answer.", 11, 7, True)
    assert answer.cost is not None
    assert 0 < answer.cost < 1
    sent = endpoint.requests[0]
    if provider == "bedrock":
        assert sent["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert sent["body"]["inferenceConfig"] == {"temperature": 0, "maxTokens": 20}
    elif provider == "azure-openai":
        assert sent["path"].startswith("/openai/deployments/gpt-4o/chat/completions?api-version=")
        assert sent["headers"]["api-key"] == CANARY
    else:
        assert sent["path"] == "/v1/chat/completions"
        assert [one["role"] for one in sent["body"]["messages"]] == ["system", "user"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("trouble", [429, 500, 503, "reset"])
def test_what_passes_by_itself_is_tried_again(
    provider: str, trouble: object, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.plan = [trouble, trouble, "ok"]
    answer = asked(client(provider, endpoint, tmp_path))
    assert (answer.text, answer.attempts) == ("An answer.", 3)
    assert len(endpoint.requests) == 3  # the SDK made no attempts of its own


def test_a_hanging_provider_is_given_up_and_asked_again(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.plan = ["hang", "ok"]
    assert asked(client("openai", endpoint, tmp_path)).attempts == 2


def test_the_time_a_provider_names_is_waited(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.plan = [(429, {"retry-after": "0.5"}), "ok"]
    slept: list[float] = []
    one = client("openai", endpoint, tmp_path)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    one.sleep = sleep
    assert asked(one).attempts == 2
    assert slept == [0.5]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid"), (401, "authentication"), (403, "permission"), (404, "not_found")]
)
def test_what_never_passes_is_told_at_once(
    provider: str, status: int, kind: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.plan = [status]
    with pytest.raises(InferenceError) as refused:
        asked(client(provider, endpoint, tmp_path))
    assert (refused.value.kind, refused.value.status, len(endpoint.requests)) == (kind, status, 1)
    assert f"status {status}" in refused.value.message
    assert CANARY not in f"{refused.value!r}{refused.value.message}{refused.value.hint}"


def test_an_empty_account_and_a_filter_are_not_asked_again(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.plan = [(429, {"code": "insufficient_quota"})]
    with pytest.raises(InferenceError, match="status 429") as refused:
        asked(client("openai", endpoint, tmp_path))
    assert "credit" in refused.value.hint
    endpoint.plan = [(400, {"code": "content_filter"})]
    with pytest.raises(InferenceError, match="content filter"):
        asked(client("azure-openai", endpoint, tmp_path))
    assert len(endpoint.requests) == 2


def test_what_is_no_protocol_is_told_after_the_last_attempt(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.plan = ["garbage"]
    with pytest.raises(InferenceError) as refused:
        asked(client("openai", endpoint, tmp_path))
    assert "<html>" not in refused.value.message


def test_nobody_listens(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.url = "http://127.0.0.1:9"
    with pytest.raises(InferenceError) as refused:
        asked(client("openai", endpoint, tmp_path, retry={"attempts": 1}))
    assert refused.value.kind == "unavailable"


def test_an_answer_is_heard_while_it_comes(endpoint: Endpoint, tmp_path: Path) -> None:
    heard: list[str] = []
    answer = asked(client("openai", endpoint, tmp_path), heard=heard)
    assert "".join(heard) == answer.text == "An answer. "
    assert len(heard) > 1
    assert answer.input_tokens == 11


def test_an_answer_that_fits_its_schema(endpoint: Endpoint, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}
    question = Question(HELLO.messages, schema=schema)
    endpoint.text = '{"label": "b"}'
    assert asked(client("openai", endpoint, tmp_path), question).data == {"label": "b"}
    assert endpoint.requests[0]["body"]["response_format"]["type"] == "json_schema"
    endpoint.text = '{"label": "c"}'
    with pytest.raises(InferenceError, match="does not fit its schema at label"):
        asked(client("openai", endpoint, tmp_path), question)
    assert len(endpoint.requests) == 5  # one that fitted, four attempts that did not


def test_so_many_at_once_and_no_more(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.05
    one = client("openai", endpoint, tmp_path, concurrency=3)

    async def work() -> None:
        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(one.complete, Question((Message("user", str(number)),)))
        await one.close()

    anyio.run(work)
    assert (len(endpoint.requests), endpoint.busiest) == (12, 3)


def test_nothing_is_paid_for_twice(endpoint: Endpoint, tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    one = client("openai", endpoint, tmp_path, memory)

    async def twice() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one.complete, HELLO)
            group.start_soon(one.complete, HELLO)
        await one.close()

    anyio.run(twice)
    memory.close()
    again = asked(client("openai", endpoint, tmp_path, Memory(tmp_path)))
    assert (len(endpoint.requests), again.remembered, again.attempts, again.text) == (1, True, 0, "An answer.")
    asked(client("openai", endpoint, tmp_path, Memory(tmp_path)), Question(HELLO.messages, {"temperature": 1}))
    assert len(endpoint.requests) == 2
    assert CANARY.encode() not in (tmp_path / ".strata/local/answers.sqlite").read_bytes()
