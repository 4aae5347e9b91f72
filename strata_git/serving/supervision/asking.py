"""Asking a service that runs, as anybody could: plain HTTP, by the standard library."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from strata_git.errors import StrataError, printable

LIMIT = 64 << 20
SHOWN = "strata-"
"""How the headers begin that tell where an answer comes from."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: HTTP's status, headers (lower case), and the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_fine(self) -> bool:
        """Whether it is an answer and no refusal."""
        return 200 <= self.status < 300

    @property
    def provenance(self) -> dict[str, str]:
        """Where it comes from."""
        return {name: value for name, value in self.headers.items() if name.startswith(SHOWN)}

    @property
    def complaint(self) -> str:
        """What a refusal says, in one printable line."""
        try:
            said: Any = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            said = ""
        if isinstance(said, dict):
            said = ": ".join(str(said[name]) for name in ("field", "message") if said.get(name))
        return printable(str(said or "")[:500]) or f"HTTP {self.status}"


def ask(
    url: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, seconds: float = 30
) -> Answer:
    """GET, or POST of `body`, at a service's address. Raises StrataError where nobody answers."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=seconds)
    except ValueError:
        raise StrataError(f"{printable(url)} is no address of a service.", hint="http://127.0.0.1:8080") from None
    try:
        connection.request("GET" if body is None else "POST", parts.path.rstrip("/") + path, body, dict(headers or {}))
        response = connection.getresponse()
        said = {name.lower(): printable(value) for name, value in response.getheaders()}
        return Answer(response.status, said, response.read(LIMIT))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise StrataError(f"Nobody answers at {printable(url)} ({reason}).", hint="git strata service status") from None
    finally:
        connection.close()


def is_ready(url: str, *, seconds: float = 2) -> bool:
    """Whether a service says that it answers."""
    try:
        return ask(url, "/v2/health/ready", seconds=seconds).is_fine
    except StrataError:
        return False
