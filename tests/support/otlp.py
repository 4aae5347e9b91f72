"""A collector of traces on this machine: OTLP over HTTP, read with the protocol's own messages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.listening import http_server, listening


@dataclass(slots=True)
class Collector:
    """`bodies` as they came, `headers` of each request; `status` is what it answers."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    @property
    def spans(self) -> list[dict[str, Any]]:
        """Every span: name, kind, attributes, events, status, service, ids."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = _plain(resource.resource.attributes).get("service.name")
                for scope in resource.scope_spans:
                    found += [_span(span) | {"service": service} for span in scope.spans]
        return found


@contextmanager
def collect() -> Iterator[Collector]:
    """A collector for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            collector.headers.append(
                {"path": self.path, **{name.lower(): value for name, value in self.headers.items()}}
            )
            collector.bodies.append(gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = http_server(Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    with listening(server):
        yield collector


def _span(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind,
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "attributes": _plain(span.attributes),
        "events": [(event.name, _plain(event.attributes)) for event in span.events],
        "status": (span.status.code, span.status.message),
    }


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(part) for part in value.array_value.values] if kind == "array_value" else getattr(value, kind)
