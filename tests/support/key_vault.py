"""A key vault on this machine: its REST interface with the challenge that comes first, and the login service it names.

Both speak TLS with a certificate of an authority of the test's own (`ca`); REQUESTS_CA_BUNDLE tells clients of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.listening import certificates, http_server, listening

TENANT, CLIENT, CLIENT_SECRET = "0f0f0f0f-0000-4000-8000-000000000001", "client-1", "canary-client-secret-91b4"
TOKEN = "canary-bearer-token-5d21"


@dataclass(slots=True)
class Vault:
    """`failures` are statuses answered first, with `headers`; `seen` holds method, path and Authorization of each."""

    url: str
    ca: Path
    secrets: dict[str, str] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    resource: str = "https://vault.azure.net"
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """Who asks, as the SDK reads it."""
        return {
            "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            "AZURE_AUTHORITY_HOST": self.url, "REQUESTS_CA_BUNDLE": str(self.ca),
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    vault: Vault
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, given = urlsplit(self.path).path, self.headers.get("Authorization", "")
        self.vault.seen.append(("GET", path, given))
        if path.endswith("/.well-known/openid-configuration"):
            base = f"{self.vault.url}/{TENANT}"
            self.say(200, {
                "token_endpoint": f"{base}/oauth2/v2.0/token", "authorization_endpoint": f"{base}/authorize",
                "issuer": f"{base}/v2.0",
            })  # fmt: skip
        elif not given:
            challenge = f'Bearer authorization="{self.vault.url}/{TENANT}", resource="{self.vault.resource}"'
            self.say(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
        elif self.vault.failures:
            said = {"error": {"code": "Later", "message": "Not now."}}
            self.say(self.vault.failures.pop(0), said, self.vault.headers)
        elif given != f"Bearer {TOKEN}":
            self.say(401, {"error": {"code": "Unauthorized", "message": "Who are you?"}})
        else:
            self.secret(path.split("/")[2])

    def secret(self, name: str) -> None:
        if name not in self.vault.secrets:
            self.say(404, {"error": {"code": "SecretNotFound", "message": f"A secret {name} was not found."}})
            return
        attributes = {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable"}
        self.say(200, {
            "value": self.vault.secrets[name], "id": f"{self.vault.url}/secrets/{name}/1", "attributes": attributes
        })  # fmt: skip

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.vault.seen.append(("POST", self.path, ""))
        if asked.get("client_secret") == [CLIENT_SECRET] and asked["client_id"] == [CLIENT]:
            self.say(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
        else:
            told = "AADSTS7000215: Invalid client secret provided."
            self.say(401, {"error": "invalid_client", "error_description": told})

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
def serve(folder: Path) -> Iterator[Vault]:
    """A vault for as long as the block lasts."""
    ca, certificate = certificates(folder)
    handler: Any = type("Handler", (_Handler,), {})
    server = http_server(handler, certificate)
    handler.vault = vault = Vault(f"https://localhost:{server.server_address[1]}", ca)
    with listening(server):
        yield vault
