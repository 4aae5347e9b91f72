"""A Git LFS server of our own: the batch API and basic transfers, enough for the stock client to push and fetch."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler

from tests.support.listening import http_server, listening


@dataclass(slots=True)
class LfsServer:
    """`objects` maps oids to content; `batches` holds every batch request; `login` (`name:password`) must be given."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    batches: list[dict[str, object]] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    login: str = ""
    answer: tuple[int, bytes] | None = None
    """In place of an honest answer to a batch request."""


@contextmanager
def serving() -> Iterator[LfsServer]:
    """A server on a free port of this machine, as long as the block lasts."""
    state = LfsServer()
    server = http_server(_handler(state))
    state.url = f"http://127.0.0.1:{server.server_address[1]}/team/models.git/info/lfs"
    with listening(server):
        yield state


def _handler(state: LfsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if state.login and self.headers.get("Authorization") != _basic(state.login):
                self._send(401, b"{}", {"LFS-Authenticate": "Basic"})
            elif not self.path.endswith("/objects/batch"):
                self._send(200, b"{}")
            else:
                state.batches.append(body)
                self._send(*(state.answer or (200, _batch(state, body))))

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            oid = self.path.rpartition("/")[2]
            if sha256(data).hexdigest() == oid:
                state.objects[oid] = data
            self._send(200 if oid in state.objects else 422, b"")

        def do_GET(self) -> None:
            oid = self.path.rpartition("/")[2]
            state.downloads.append(oid)
            self._send(200 if oid in state.objects else 404, state.objects.get(oid, b""))

        def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/vnd.git-lfs+json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _batch(state: LfsServer, body: dict[str, object]) -> bytes:
    rows = []
    asked = body["objects"]
    assert isinstance(asked, list)
    for one in asked:
        oid = one["oid"]
        row: dict[str, object] = {"oid": oid, "size": one["size"]}
        link = {"href": f"{state.url}/content/{oid}"}
        if oid in state.objects:
            row["size"] = len(state.objects[oid])
            if body["operation"] == "download":
                row["actions"] = {"download": link}
        elif body["operation"] == "upload":
            row["actions"] = {"upload": link}
        else:
            row["error"] = {"code": 404, "message": "Object does not exist"}
        rows.append(row)
    return json.dumps({"transfer": "basic", "objects": rows}).encode()


def _basic(login: str) -> str:
    return "Basic " + b64encode(login.encode()).decode()
