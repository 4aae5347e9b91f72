"""Microsoft Graph and its login service on this machine: one site, its drives, downloads, uploads, and throttling.

TLS with the authority that `key_vault` makes; tokens are given for a client's secret or for an assertion that its
certificate signed, and are wanted everywhere but at download addresses, which refuse them.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.listening import certificates, http_server, listening

TENANT, CLIENT, SECRET = "contoso", "client-7", "canary-graph-secret-3f9a"
Failure = tuple[int, dict[str, str], str]


@dataclass(slots=True)
class GraphServer:
    """`files` are the default drive's; `failures` are answered first (status, headers, code), one each."""

    url: str
    ca: Path
    files: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    login_failures: list[int] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    tokens: int = 0
    assertions: list[dict[str, object]] = field(default_factory=list)
    page: int = 2
    cut_after: int | None = None
    meanwhile: list[tuple[str, bytes]] = field(default_factory=list)
    """What somebody else saves just before the next upload."""
    lead_away: bool = False

    @property
    def token(self) -> str:
        """The last one; older ones have ended."""
        return f"canary-graph-token-{self.tokens}"

    def put(self, name: str, data: bytes) -> None:
        """As somebody else does in a browser."""
        self.files[name] = data
        self.marks[name] = self.marks.get(name, 0) + 1


def _facts(state: GraphServer, name: str) -> dict[str, object]:
    identity = name.encode().hex() or "root"
    facts: dict[str, object] = {"id": identity, "name": name.rpartition("/")[2]}
    if name in state.files:
        mark = state.marks.get(name, 0)
        return facts | {
            "size": len(state.files[name]), "file": {"mimeType": "application/octet-stream"},
            "eTag": f'"{{{identity}}},{mark}"', "cTag": f'"c:{{{identity}}},{mark}"',
            "lastModifiedDateTime": "2026-11-20T08:00:00Z",
            "@microsoft.graph.downloadUrl": f"{state.url}/download/{identity}?tempauth=canary-download-right",
        }  # fmt: skip
    return facts | {"folder": {"childCount": 1}}


class _Handler(BaseHTTPRequestHandler):
    state: GraphServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.state.seen.append(("GET", parts.path))
        if parts.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.state.url}/{TENANT}"
            self.say(200, {
                "token_endpoint": f"{base}/oauth2/v2.0/token", "authorization_endpoint": f"{base}/authorize",
                "issuer": f"{base}/v2.0",
            })  # fmt: skip
        elif parts.path.startswith("/download/"):
            self.download(bytes.fromhex(parts.path.rpartition("/")[2]).decode())
        elif self.may():
            self.answer(unquote(parts.path).removeprefix("/v1.0"), parse_qs(parts.query))

    def may(self) -> bool:
        if self.state.failures:
            status, headers, code = self.state.failures.pop(0)
            self.say(status, {"error": {"code": code, "message": "as ordered"}}, headers)
            return False
        if self.headers.get("Authorization") != f"Bearer {self.state.token}":
            self.say(401, {"error": {"code": "InvalidAuthenticationToken", "message": "It has ended."}})
            return False
        return True

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        site = "/sites/contoso.sharepoint.example,1,2"
        if path == "/sites/contoso.sharepoint.example:/sites/legal":
            self.say(200, {"id": "contoso.sharepoint.example,1,2"})
        elif path == f"{site}/drives":
            self.say(200, {"value": [{"id": "b!1", "name": "Dokumente"}, {"id": "b!2", "name": "Archive"}]})
        elif path == f"{site}/drive":
            self.say(200, {"id": "b!1", "name": "Dokumente"})
        elif path.startswith("/drives/b!1/"):
            self.item(path.removeprefix("/drives/b!1/"), query)
        else:
            self.say(404, {"error": {"code": "itemNotFound", "message": "The resource could not be found."}})

    def named(self, path: str) -> tuple[str, str]:
        """The name of an item, and what is asked of it."""
        if path.startswith("items/"):
            identity, _, verb = path.removeprefix("items/").partition("/")
            return ("" if identity == "root" else bytes.fromhex(identity).decode()), verb
        if path.startswith("root:/"):
            name, _, verb = path.removeprefix("root:/").partition(":")
            return name, verb.strip("/")
        return "", path.removeprefix("root").strip("/")

    def item(self, path: str, query: dict[str, list[str]]) -> None:
        name, verb = self.named(path)
        known = name in self.state.files or any(one.startswith(f"{name}/") for one in self.state.files) or not name
        if not known:
            self.say(404, {"error": {"code": "itemNotFound", "message": "Item does not exist"}})
        elif verb == "children":
            below = f"{name}/" if name else ""
            inner = sorted({
                one.removeprefix(below).partition("/")[0] for one in self.state.files if one.startswith(below)
            })  # fmt: skip
            first = int(query.get("skip", ["0"])[0])
            body: dict[str, object] = {
                "value": [_facts(self.state, below + one) for one in inner[first : first + self.state.page]]
            }
            if first + self.state.page < len(inner):
                where = "https://elsewhere.example" if self.state.lead_away else self.state.url
                body["@odata.nextLink"] = f"{where}/v1.0/drives/b!1/{path}?skip={first + self.state.page}"
            self.say(200, body)
        else:
            self.say(200, _facts(self.state, name))

    def download(self, name: str) -> None:
        data = self.state.files[name]
        if "Authorization" in self.headers or "tempauth=canary-download-right" not in self.path:
            self.say(401, {"error": {"code": "unauthenticated", "message": "no such right"}})
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        if self.state.cut_after is not None:
            rest, self.state.cut_after, self.close_connection = rest[: self.state.cut_after], None, True
        self.wfile.write(rest)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        self.state.seen.append(("PUT", parts.path))
        if not self.may():
            return
        for other in self.state.meanwhile[:1]:
            self.state.put(*self.state.meanwhile.pop(0))
            assert other
        name, _ = self.named(unquote(parts.path).removeprefix("/v1.0/drives/b!1/"))
        match = self.headers.get("If-Match")
        if match and match != _facts(self.state, name).get("eTag"):
            self.say(412, {"error": {"code": "resourceModified", "message": "ETag does not match"}})
        elif not match and name in self.state.files:
            self.say(409, {"error": {"code": "nameAlreadyExists", "message": "It is there"}})
        else:
            self.state.put(name, body)
            self.say(200, _facts(self.state, name))

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.state.seen.append(("POST", self.path))
        if self.state.login_failures:
            self.say(self.state.login_failures.pop(0), {"error": "temporarily_unavailable"})
            return
        if assertion := asked.get("client_assertion"):
            head = assertion[0].split(".")[0]
            self.state.assertions.append(json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4))))
        elif asked.get("client_secret") != [SECRET] or asked["client_id"] != [CLIENT]:
            told = "AADSTS7000215: Invalid client secret provided."
            self.say(401, {"error": "invalid_client", "error_description": told})
            return
        self.state.tokens += 1
        self.say(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": self.state.token})

    def say(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Silent."""


@contextmanager
def serve(folder: Path) -> Iterator[GraphServer]:
    """Graph for as long as the block lasts."""
    ca, certificate = certificates(folder)
    handler: Any = type("Handler", (_Handler,), {})
    server = http_server(handler, certificate)
    handler.state = state = GraphServer(f"https://localhost:{server.server_address[1]}", ca)
    with listening(server):
        yield state
