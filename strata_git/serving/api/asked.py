"""One request: its headers, its body within limits, until when it is worth answering, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from strata_git.serving.api.deadline import allowed_seconds
from strata_git.serving.api.trace import continued, request_id
from strata_git.serving.errors import RequestError, Unanswered

if TYPE_CHECKING:
    from strata_git.serving.provenance import Provenance

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Gone(Exception):
    """Who asked has hung up: nobody is there to be answered."""


class Room:
    """The bytes that all bodies on their way in may take together: many that are slow must not fill the memory."""

    __slots__ = ("held", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, length: int) -> None:
        """Raises Unanswered (503) where there is none left."""
        if self.held + length > self.most:
            raise Unanswered("Too many large requests are under way.", status=503)
        self.held += length


class Asked:
    """A request under way. `route` is the template of its path, for logs and metrics; `""` until it is known."""

    __slots__ = ("caller", "headers", "held", "id", "method", "path", "provenance", "receive", "route", "rows", "scope",
                 "size", "started", "trace", "until")  # fmt: skip

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.started = time.monotonic()
        self.until = float("inf")
        self.trace = continued(self.header(b"traceparent"))
        self.id = request_id(self.header(b"x-request-id"), self.trace)
        self.caller = ""
        self.route = ""
        self.rows = 0
        self.size = 0
        self.held = 0
        self.provenance: Provenance | None = None

    def header(self, name: bytes) -> str:
        """The value of a header (`name` in lower case), `""` where it is not there; of several the last."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else ""

    def headers_text(self, name: str) -> str | None:
        """The value of a header by its usual name; None where it is not there."""
        return self.header(name.lower().encode()) or None

    def set_deadline(self, most: float) -> None:
        """Let it be worth answering as long as the asker says, `most` seconds at most. Raises RequestError (400)."""
        seconds = allowed_seconds(self.header(b"x-request-timeout-ms"), self.header(b"grpc-timeout"), most)
        self.until = self.started + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    async def body(self, limit: int, room: Room) -> bytes:
        """All of the body. It is refused (413) by its announced length before any of it is read, else once more than
        `limit` bytes have come; and (408) where it has not come in time.

        What it takes of `room`, `held`, is given back by who ends the request. Raises RequestError, Unanswered, Gone.
        """
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise RequestError("compressed bodies are not taken", field="content-encoding", status=415)
        announced = self.headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced[:20]) > limit:
            raise _too_long(limit)
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(self.remaining, 0.001)):
                return await self._received(limit, room)
        except TimeoutError:
            raise RequestError("The body did not come in time.", status=408) from None

    async def _received(self, limit: int, room: Room) -> bytes:
        parts: list[bytes] = []
        length = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Gone
            part: bytes = message.get("body", b"")
            length += len(part)
            if length > limit:
                raise _too_long(limit)
            if not message.get("more_body", False):
                self.size = length
                return b"".join([*parts, part]) if parts else part
            room.take(len(part))
            self.held += len(part)
            parts.append(part)


def _too_long(limit: int) -> RequestError:
    return RequestError(f"The body has more than {limit} bytes.", status=413)
