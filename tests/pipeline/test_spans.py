"""Spans: off unless asked for, by the conventions for generative AI, told to a collector, without words and secrets."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from strata_git.contracts.pipeline import Observability, Pipelines
from strata_git.errors import MissingExtra
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.observability.redact import Redactor
from strata_git.pipeline.observability.spans import traced
from strata_git.pipeline.secrets.resolve import Secrets
from strata_git.runs.masking import Mask
from tests.support.otlp import Collector, collect

KNOWN = "canary-value-31"
KEYS = {"collector": {"from": "env", "name": "COLLECTOR_TOKEN"}}
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Summarise {KNOWN}, please."}]


def secrets() -> Secrets:
    keys = Pipelines.model_validate({"keys": KEYS}).keys
    return Secrets(keys, {"COLLECTOR_TOKEN": "canary-collector-token"}, Path(), Mask([KNOWN]))


def work(settings: Observability) -> None:
    """A pipeline of two steps, one call of which fails."""
    had = secrets()
    with traced(settings, Redactor(had.mask), had) as spans, spans.span("chain", name="summarise") as chain:
        chain.tell(chunks=2, cost=0.5, note=f"about {KNOWN}", nothing=None)
        with spans.call(
            "azure-openai", "gpt-4o", prompt="summarise@v1", messages=MESSAGES, temperature=0.0, stop_sequences=["x"]
        ) as call:
            call.answered(
                model="gpt-4o-2024", input_tokens=12, output_tokens=3, finish_reason="stop", answer=f"It is {KNOWN}."
            )
        with pytest.raises(InferenceError), spans.call("bedrock", "claude"):
            raise InferenceError(f"refused {KNOWN}", kind="throttled")


def test_nothing_is_told_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    work(Observability())


def test_without_its_packages_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match="optional extra 'observability'"):
        work(Observability(otlp="http://127.0.0.1:1"))


@pytest.mark.heavy
def test_a_collector_is_told() -> None:
    with collect() as collector:
        headers = {"authorization": "Bearer ${secret:collector}"}
        work(Observability(otlp=collector.url, otlp_headers=headers, service="digests"))
    chain, call, failed = in_order(collector)
    assert {one["service"] for one in (chain, call, failed)} == {"digests"}
    assert collector.headers[0]["path"] == "/v1/traces"
    assert collector.headers[0]["authorization"] == "Bearer canary-collector-token"
    assert chain["attributes"] == {
        "strata.name": "summarise", "strata.chunks": 2, "strata.cost": 0.5, "strata.note": "about ***"
    }  # fmt: skip
    assert call["parent"] == failed["parent"] == chain["id"]
    assert (call["name"], call["kind"]) == ("chat gpt-4o", 3)
    assert call["attributes"] == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.0, "gen_ai.request.stop_sequences": ["x"], "gen_ai.prompt.name": "summarise@v1",
        "gen_ai.response.model": "gpt-4o-2024", "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3,
    }  # fmt: skip
    assert failed["attributes"]["error.type"] == "throttled"
    assert failed["status"] == (2, "InferenceError: refused ***")
    ((name, about),) = failed["events"]
    assert (name, about["exception.message"]) == ("exception", "refused ***")
    assert "canary" not in everything(collector)


@pytest.mark.heavy
def test_words_are_told_where_they_are_asked_for() -> None:
    with collect() as collector:
        work(Observability(otlp=f"{collector.url}/v1/traces", prompts_in_traces=True))
    call = in_order(collector)[1]["attributes"]
    assert json.loads(call["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Be brief."}]
    assert json.loads(call["gen_ai.output.messages"])[0]["parts"][0]["content"] == "It is ***."
    assert "canary" not in everything(collector)


@pytest.mark.heavy
def test_spans_of_libraries_pass_the_same_gate() -> None:
    had = secrets()
    with collect() as collector:
        settings = Observability(otlp=collector.url)
        with traced(settings, Redactor(had.mask), had) as spans:
            assert spans.provider is not None
            with spans.provider.get_tracer("somebody").start_as_current_span(f"GET {KNOWN}") as span:
                span.set_attribute("http.request.header.authorization", ["Bearer unseen-token"])
                span.set_attribute("gen_ai.input.messages", "words")
                span.add_event("gen_ai.content", {"gen_ai.prompt": "words", "url": f"http://u:unseen@h/{KNOWN}"})
    (span,) = collector.spans
    assert span["name"] == "GET ***"
    assert span["attributes"] == {"http.request.header.authorization": "***"}
    assert span["events"] == [("gen_ai.content", {"url": "http://u:***@h/***"})]


@pytest.mark.heavy
@pytest.mark.parametrize("status", [0, 400, 503])
def test_a_collector_that_fails_fails_nobody(status: int, caplog: pytest.LogCaptureFixture) -> None:
    begun = time.monotonic()
    with collect() as collector:
        collector.status = status
        work(Observability(otlp=collector.url if status else "http://127.0.0.1:1"))
    assert time.monotonic() - begun < 12
    assert "canary" not in caplog.text


def in_order(collector: Collector) -> list[dict[str, object]]:
    chain, *others = sorted(collector.spans, key=lambda span: span["name"] != "chain")
    return [chain, *sorted(others, key=lambda span: "error.type" in span["attributes"])]


def everything(collector: Collector) -> str:
    return repr(collector.bodies) + repr(collector.spans)
