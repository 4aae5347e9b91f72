"""A port of this machine, joined to the socket of a container that has no network of its own.

Bytes are handed on as they are. While nothing may answer, whoever asks is told so in HTTP, and why.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

_PART = 1 << 16
_PATIENCE = 5.0
RETRY = 2
"""Seconds after which asking again makes sense."""


class Forwarder:
    """Joins every connection to `target` (None: nothing answers, because of `reason`)."""

    def __init__(self, listening: socket.socket) -> None:
        self.target: Path | None = None
        self.reason = "the service starts"
        self._listening = listening
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take connections from now on."""
        self._server = await asyncio.start_server(self._joined, sock=self._listening)

    async def stop(self, seconds: float) -> None:
        """Take none any more, and leave those that are open `seconds` to end."""
        if self._server is not None:
            self._server.close()
        if self._open:
            await asyncio.wait(self._open, timeout=seconds)
        for task in self._open:
            task.cancel()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server calls this in one
        self._open.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._open.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self.target
        try:
            if target is None:
                raise ConnectionError
            there = await asyncio.open_unix_connection(str(target))
        except OSError:
            await self._refused(reader, writer)
            return
        try:
            await asyncio.gather(_pumped(reader, there[1]), _pumped(there[0], writer))
        finally:
            there[1].close()

    async def _refused(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """503, once the request's head was read: who is answered before it has asked may not hear it."""
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        body = json.dumps({"error": {"field": "", "message": f"no model is ready: {self.reason}"}}).encode()
        head = f"HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY}\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on until one end has nothing more to say; the other is told that."""
    while data := await reader.read(_PART):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


Say = Callable[[str, str], None]
"""Takes a level and a line of the log."""
