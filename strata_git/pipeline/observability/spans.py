"""Spans of a pipeline's work, by OpenTelemetry's conventions for generative AI, sent by OTLP over HTTP.

Off unless `observability.otlp` names where to; then the extra `observability` is needed. No global provider is set, so
that nothing else of the process is traced unasked. Prompts and answers are told only where `prompts_in_traces` says so,
and secrets never: what leaves passes a redactor, whichever library made the span.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from strata_git.contracts.pipeline import Observability
from strata_git.errors import MissingExtra
from strata_git.pipeline.observability.redact import Redactor
from strata_git.pipeline.secrets.resolve import Source, filled

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

EXPORT_S = 5
"""Seconds that one export may take; a pipeline does not wait for whoever watches it."""
TRACES = "/v1/traces"
_PROVIDERS = {"azure-openai": "azure.ai.openai", "bedrock": "aws.bedrock", "openai": "openai"}
_CONTENT = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.prompt",
    "gen_ai.completion", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.retrieval.query.text",
    "gen_ai.retrieval.documents", "gen_ai.event.content", "events", "all_messages_events", "pydantic_ai.all_messages",
)  # fmt: skip
"""Attributes that hold what was said to a model, or by it."""


class Span:
    """What happens between its beginning and end; without an OpenTelemetry span behind it, nobody hears of it."""

    def __init__(self, behind: Any = None, *, prompts: bool = False) -> None:
        self._behind, self._prompts = behind, prompts

    def tell(self, **attributes: object) -> None:
        """Add attributes, below `strata.`: `tell(chunks=3)` is `strata.chunks`. None is nothing to tell."""
        self._set({f"strata.{name}": value for name, value in attributes.items()})

    def answered(
        self,
        *,
        model: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        finish_reason: str | None = None,
        answer: str | None = None,
    ) -> None:
        """What came of a call of a model. The answer's words are told only where prompts are."""
        said = _messages([{"role": "assistant", "content": answer}]) if self._prompts and answer is not None else None
        self._set(
            {
                "gen_ai.response.model": model,
                "gen_ai.usage.input_tokens": input_tokens,
                "gen_ai.usage.output_tokens": output_tokens,
                "gen_ai.response.finish_reasons": None if finish_reason is None else (finish_reason,),
                "gen_ai.output.messages": said,
            }
        )

    def failed(self, error: BaseException) -> None:
        """The kind of an error, as the conventions name it; the error itself OpenTelemetry adds."""
        self._set({"error.type": getattr(error, "kind", None) or type(error).__name__})

    def _set(self, attributes: Mapping[str, object]) -> None:
        if self._behind is not None:
            told = {name: _scalar(value) for name, value in attributes.items() if value is not None}
            self._behind.set_attributes(told)


class Spans:
    """Makes spans; without a provider nobody hears of them. `provider` is for libraries that make their own."""

    def __init__(self, provider: TracerProvider | None = None, *, prompts: bool = False) -> None:
        self.provider, self.prompts = provider, prompts
        self._tracer = None if provider is None else provider.get_tracer("strata_git.pipeline")

    @contextmanager
    def span(self, name: str, /, **attributes: object) -> Iterator[Span]:
        """A step of a pipeline: `span("process", documents=12)`."""
        if self._tracer is None:
            yield Span()
            return
        with self._tracer.start_as_current_span(name) as behind:
            span = Span(behind, prompts=self.prompts)
            span.tell(**attributes)
            yield span

    @contextmanager
    def call(
        self,
        provider: str,
        model: str,
        /,
        *,
        operation: str = "chat",
        prompt: str | None = None,
        messages: Sequence[Mapping[str, str]] = (),
        **parameters: object,
    ) -> Iterator[Span]:
        """A call of a model. `provider` is as in strata.yaml, `prompt` the version asked, `parameters` such as
        `temperature` and `max_tokens`.
        """
        if self._tracer is None:
            yield Span()
            return
        from opentelemetry.trace import SpanKind

        attributes: dict[str, object] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
            "gen_ai.request.model": model,
            "gen_ai.prompt.name": prompt,
            "gen_ai.input.messages": _messages(messages) if self.prompts and messages else None,
        }
        attributes |= {f"gen_ai.request.{name}": value for name, value in parameters.items()}
        told = {name: _scalar(value) for name, value in attributes.items() if value is not None}
        with self._tracer.start_as_current_span(
            f"{operation} {model}", kind=SpanKind.CLIENT, attributes=told
        ) as behind:
            span = Span(behind, prompts=self.prompts)
            try:
                yield span
            except BaseException as error:
                span.failed(error)
                raise


@contextmanager
def traced(settings: Observability, redactor: Redactor, secrets: Source) -> Iterator[Spans]:
    """The spans of one piece of work; all that was told is sent when it ends, or given up after `EXPORT_S`.

    Raises MissingExtra where traces are asked for and their packages are not there, StrataError where a secret for
    `otlp_headers` cannot be had.
    """
    if settings.otlp is None:
        yield Spans()
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise MissingExtra("observability", "Sending traces (observability.otlp)") from None
    asked = filled(settings, secrets)
    address = str(asked.otlp).rstrip("/")
    exporter = OTLPSpanExporter(
        endpoint=address if address.endswith(TRACES) else address + TRACES,
        headers=dict(asked.otlp_headers),
        timeout=EXPORT_S,
    )
    provider = TracerProvider(resource=Resource.create({"service.name": settings.service}), shutdown_on_exit=False)
    behind = redacted(exporter, redactor, prompts=settings.prompts_in_traces)
    provider.add_span_processor(BatchSpanProcessor(behind, export_timeout_millis=EXPORT_S * 1000))
    try:
        yield Spans(provider, prompts=settings.prompts_in_traces)
    finally:
        provider.shutdown()


def redacted(exporter: Any, redactor: Redactor, *, prompts: bool) -> Any:
    """A span exporter that hands on spans without secrets, and without what was said to models unless `prompts`."""
    from opentelemetry.sdk.trace.export import SpanExporter

    class Redacting(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> Any:
            return exporter.export([_without_secrets(span, redactor, prompts) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return bool(exporter.force_flush(timeout_millis))

    return Redacting()


def _messages(messages: Sequence[Mapping[str, str]]) -> str:
    """Messages as the conventions write them into one attribute."""
    parts = [
        {"role": one.get("role", "user"), "parts": [{"type": "text", "content": one.get("content", "")}]}
        for one in messages
    ]
    return json.dumps(parts, ensure_ascii=False)


def _scalar(value: object) -> Any:
    """A value as an attribute may be one."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    return str(value)


def _without_secrets(span: ReadableSpan, redactor: Redactor, prompts: bool) -> ReadableSpan:
    """A copy to be sent: names, attributes, events, links and the status redacted."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Link, Status

    def clean(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        kept = {name: value for name, value in (attributes or {}).items() if prompts or name not in _CONTENT}
        return {
            name: tuple(value) if isinstance(value, list) else value for name, value in redactor.plain(kept).items()
        }

    status = span.status
    if status.description:
        status = Status(status.status_code, redactor.text(status.description))
    return ReadableSpan(
        name=redactor.text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=clean(span.attributes),
        events=[Event(redactor.text(one.name), clean(one.attributes), one.timestamp) for one in span.events],
        links=[Link(one.context, clean(one.attributes)) for one in span.links],
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
    )
