"""A server that stands before another one, and is out of order now and then."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.listening import http_server, listening

LIMIT_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said in place of the server behind."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Flaky:
    """`url` is where it listens; `answers` are given first, one a request; `asked` counts all requests."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: int = 0


@contextmanager
def before(host: str, port: int) -> Iterator[Flaky]:
    """A flaky server before `host:port`, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            flaky.asked += 1
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = flaky.answers.pop(0) if flaky.answers else self.passed_on(body)
            self.send_response(said.status)
            for name, value in said.headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def passed_on(self, body: bytes) -> Answer:
            behind = http.client.HTTPConnection(host, port, timeout=LIMIT_S)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            behind.request(self.command, self.path, body, headers)
            response = behind.getresponse()
            said = Answer(response.status, response.read(), dict(response.getheaders()))
            behind.close()
            return said

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = http_server(Handler)
    flaky = Flaky(f"http://127.0.0.1:{server.server_address[1]}")
    with listening(server):
        yield flaky
