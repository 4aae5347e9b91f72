"""A bad line to an HTTP server: some requests never arrive, some answers get lost, some take too long, some are 500."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.listening import listening

KEPT = ("content-type",)
OUT_OF_MEMORY = b'{"error_code": "INTERNAL_ERROR", "message": "out of memory"}'


class Line(ThreadingHTTPServer):
    """Each request goes wrong with the probability `faults`; one that takes too long takes `pause` seconds."""

    daemon_threads = True

    def __init__(self, port: int, seed: int, faults: float, pause: float) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.behind, self.faults, self.pause = port, faults, pause
        self.happened: Counter[str] = Counter()
        self._lot, self._held = random.Random(seed), threading.Lock()

    def fate(self) -> str:
        """What becomes of the next request."""
        with self._held:
            wrong = self._lot.random() < self.faults
            fate = self._lot.choice(("500", "cut before", "cut after", "late")) if wrong else "well"
            self.happened[fate] += 1
        return fate


class Passing(BaseHTTPRequestHandler):
    """One request on its way."""

    server: Line
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fate = self.server.fate()
        self.close_connection = True
        if fate == "500":
            self.answer(500, {}, OUT_OF_MEMORY)
            return
        if fate == "cut before":
            return
        if fate == "late":
            time.sleep(self.server.pause)
        server = HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        try:
            server.request(self.command, self.path, body or None, dict(self.headers.items()))
            given = server.getresponse()
            data, headers = given.read(), dict(given.getheaders())
        except (OSError, HTTPException):
            return
        finally:
            server.close()
        if fate != "cut after":
            self.answer(given.status, headers, data)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() in KEPT:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked has given up
            return

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - the base class's names


@contextmanager
def bad_line(port: int, seed: int, *, faults: float, pause: float) -> Iterator[tuple[str, Counter[str]]]:
    """The address of a line to the server at `port`, and what happened on it."""
    line = Line(port, seed, faults, pause)
    with listening(line):
        yield f"http://127.0.0.1:{line.server_port}", line.happened
