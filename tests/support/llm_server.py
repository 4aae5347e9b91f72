"""A model's endpoint on this machine: OpenAI's completions and embeddings, Azure's deployments, Bedrock; it counts.

Each request's outcome is taken from `plan`, one entry a request, the last one for ever: "ok", an HTTP status, (status,
headers), "hang", "reset", "garbage". What was asked stands in `requests`.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.listening import http_server, listening

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass
class Endpoint:
    """Where it listens, and what came."""

    url: str = ""
    plan: list[Any] = field(default_factory=lambda: ["ok"])
    text: str = "An answer."
    delay: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    busiest: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def outcome(self, turn: int) -> Any:
        return self.plan[min(turn, len(self.plan) - 1)]

    def enter(self, request: dict[str, Any]) -> int:
        """Its place among all requests, from 0: fixed here, whoever comes before it is answered."""
        with self._lock:
            self.requests.append(request)
            self._now += 1
            self.busiest = max(self.busiest, self._now)
            return len(self.requests) - 1

    def leave(self) -> None:
        with self._lock:
            self._now -= 1


@contextmanager
def serving() -> Iterator[Endpoint]:  # noqa: C901 - one small method an outcome
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            turn = endpoint.enter({"path": self.path, "headers": headers, "body": body})
            try:
                self._answer(turn, body)
            finally:
                endpoint.leave()

        def _answer(self, turn: int, body: dict[str, Any]) -> None:
            time.sleep(endpoint.delay)
            outcome = endpoint.outcome(turn)
            status, headers = outcome if isinstance(outcome, tuple) else (outcome, {})
            if outcome == "hang":
                time.sleep(3)
                self.close_connection = True
            elif outcome == "reset":
                self.close_connection = True
                self.connection.close()
            elif outcome == "garbage":
                self._send(200, b"<html>hello</html>", {})
            elif isinstance(status, int):
                self._refuse(status, headers)
            elif self.path.partition("?")[0].endswith("/embeddings"):
                self._send(200, json.dumps(_embeddings(body)).encode(), {})
            elif self.path.endswith("/invoke"):
                self._send(200, json.dumps(_titan(body)).encode(), {"x-amzn-bedrock-input-token-count": "5"})
            elif "/model/" in self.path:
                self._send(200, json.dumps(_converse(endpoint.text)).encode(), {})
            elif body.get("stream"):
                self._send(200, _stream(endpoint.text, body), {"content-type": "text/event-stream"})
            else:
                self._send(200, json.dumps(_completion(endpoint.text, body)).encode(), {})

        def _refuse(self, status: int, headers: dict[str, str]) -> None:
            code = headers.pop("code", "refused")
            if "/model/" in self.path:
                error = {429: "ThrottlingException", 400: "ValidationException", 403: "AccessDeniedException"}
                headers = {"x-amzn-errortype": error.get(status, "InternalServerException"), **headers}
                self._send(status, json.dumps({"message": f"status {status}"}).encode(), headers)
            else:
                self._send(
                    status, json.dumps({"error": {"message": f"status {status}", "code": code}}).encode(), headers
                )

        def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {
                "content-type": "application/json",
                "content-length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = http_server(Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    with listening(server):
        yield endpoint


def _completion(text: str, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "c1", "object": "chat.completion", "created": 1767614400, "model": body.get("model", "gpt-4o"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE,
    }  # fmt: skip


def _stream(text: str, body: dict[str, Any]) -> bytes:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1767614400, "model": body.get("model", "gpt-4o")}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        *({"content": f"{word} "} for word in text.split()),
    ]
    events = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events.append({**base, "choices": [], "usage": USAGE})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def _converse(text: str) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
        "metrics": {"latencyMs": 1},
    }


def vector_of(text: str) -> list[float]:
    """Three numbers: letters, blanks, whether it speaks of boats."""
    return [len(text) / 100, text.count(" ") / 10, 9.0 if "boat" in text.lower() else 0.0]


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts: list[str] = [body["input"]] if isinstance(body["input"], str) else body["input"]
    numbers = [vector_of(text) for text in texts]
    told: list[Any] = numbers
    if body.get("encoding_format") == "base64":
        told = [base64.b64encode(struct.pack(f"<{len(one)}f", *one)).decode() for one in numbers]
    data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(told)]
    used = {"prompt_tokens": 5 * len(texts), "total_tokens": 5 * len(texts)}
    return {"object": "list", "data": data, "model": body.get("model", "e"), "usage": used}


def _titan(body: dict[str, Any]) -> dict[str, Any]:
    numbers = vector_of(body["inputText"])
    return {"embedding": numbers, "embeddingsByType": {"float": numbers}, "inputTextTokenCount": 5}
