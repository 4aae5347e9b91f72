"""Connections that take too long or too much, ended; and those that are closed on one side, answered.

The HTTP server bounds neither the time nor the length of a request's head, reads a body that was refused for as long as
it is sent, and drops the answer to who has closed their side of a connection after asking. These are seen to here, by
whichever of its two parsers is installed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from strata_git.errors import MissingExtra

HEAD_SECONDS = 10.0
"""How long a request's head may take, from the connection or its first byte on."""
HEAD_BYTES = 64 << 10
"""How long a head may be."""
LEFT_BYTES = 256 << 20
"""How much of a body that nobody wants is taken and thrown away, so that its sender reads why."""
_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Watched:
    """What is added to a protocol class of uvicorn."""

    loop: Any
    transport: Any
    cycle: Any = None
    _timer: asyncio.TimerHandle | None = None
    _waited_for = 0
    """Bytes that have come since the last request was whole."""

    def connection_made(self, transport: Any) -> None:
        """A connection begins: its first head is waited for."""
        super().connection_made(transport)  # type: ignore[misc]
        self._timer = self.loop.call_later(HEAD_SECONDS, self._is_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self._stop_waiting()
        super().connection_lost(exc)  # type: ignore[misc]

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a head, of a body, of one that nobody wants any more."""
        before = self.cycle
        super().data_received(data)  # type: ignore[misc]
        cycle = self.cycle
        if cycle is not None and (cycle is not before or not cycle.response_complete):
            self._stop_waiting()
            return
        if self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._is_slow)
        self._waited_for += len(data)
        if self._waited_for > (LEFT_BYTES if self._is_left() else HEAD_BYTES):
            self._end(_LONG)

    def eof_received(self) -> bool:
        """The asker will send nothing more; what was asked for whole is answered all the same."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self.transport.get_extra_info("ssl_object"):
            return False
        cycle.keep_alive = False
        return True

    def _is_left(self) -> bool:
        """Whether what comes is the rest of a request that is answered already."""
        return self.cycle is not None and self.cycle.more_body

    def _is_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._end(b"" if self._is_left() or not self._waited_for else _SLOW)

    def _end(self, words: bytes) -> None:
        if words and not self._is_left():
            self.transport.write(words)
        self.transport.close()

    def _stop_waiting(self) -> None:
        self._waited_for = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def http_protocol() -> type[asyncio.Protocol]:
    """What `uvicorn.Config(http=...)` takes. Raises MissingExtra."""
    base: Any
    try:
        import uvicorn.protocols.http.h11_impl as plain
    except ImportError:
        raise MissingExtra("serve", "Serving a model") from None
    base = plain.H11Protocol
    try:
        import uvicorn.protocols.http.httptools_impl as quick
    except ImportError:
        pass
    else:
        base = quick.HttpToolsProtocol
    made: type[asyncio.Protocol] = type("WatchedProtocol", (Watched, base), {})
    return made
