"""The least of HTTP/1.1 that asking a model server takes: one request, one answer, bounded in bytes and time.

By TCP, TLS or a Unix socket. Connections are kept where the server keeps them. A server that answers slowly on kept
connections (R's plumber: 52 ms each, for its waiting acknowledgements) is asked on a new one each time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from strata_git.errors import StrataError, printable

MOST_BYTES = 256 << 20
_HEAD = 64 << 10


class Unreachable(Exception):
    """Nobody answers, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, headers (lower case), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: a Unix socket, or host and port; and what its paths begin with."""

    socket: str = ""
    host: str = ""
    port: int = 0
    base: str = ""
    secure: bool = False

    @classmethod
    def parse(cls, text: str) -> Address:
        """`http://127.0.0.1:8000`, `https://host/base`, `unix:/run/model.sock`. Raises StrataError."""
        if text.startswith("unix:"):
            return cls(socket=text.removeprefix("unix:").removeprefix("//"))
        try:
            parts = urlsplit(text)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise StrataError(
                f"'{printable(text)}' is no address of a model server.",
                hint="http://127.0.0.1:8000 or unix:/run/m.sock",
            )
        return cls(host=parts.hostname, port=port, base=parts.path.rstrip("/"), secure=parts.scheme == "https")

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if host else "localhost"


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class Exchange:
    """A server, asked again and again from one event loop."""

    def __init__(
        self, address: Address, *, keep: bool = True, headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None, most: int = MOST_BYTES,
    ) -> None:  # fmt: skip
        self._address = address
        self._keep = keep
        self._tls = (tls or ssl.create_default_context()) if address.secure else None
        self._most = most
        self._idle: list[_Connection] = []
        lines = {"Host": address.authority, **(headers or {}), **({} if keep else {"Connection": "close"})}
        self._lines = "".join(f"{name}: {_value(value)}\r\n" for name, value in lines.items())

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """One answer. Raises Unreachable; no time limit of its own."""
        more = "".join(f"{name}: {_value(value)}\r\n" for name, value in (headers or {}).items())
        length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        head = f"{method} {self._address.base}{path} HTTP/1.1\r\n{self._lines}{more}{length}\r\n"
        sent = head.encode("latin-1") + body
        while True:
            connection = self._idle.pop() if self._idle else await self._connected()
            try:
                return await self._exchanged(connection, sent, method)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
                connection.writer.close()
                if not connection.used or not isinstance(error, OSError | asyncio.IncompleteReadError):
                    raise Unreachable(type(error).__name__) from error
            except BaseException:
                connection.writer.close()
                raise

    async def close(self) -> None:
        """Give all kept connections back."""
        self._keep = False
        while self._idle:
            await _ended(self._idle.pop())

    async def _connected(self) -> _Connection:
        one = self._address
        try:
            if one.socket:
                return _Connection(*await asyncio.open_unix_connection(one.socket, limit=_HEAD))
            return _Connection(*await asyncio.open_connection(one.host, one.port, ssl=self._tls, limit=_HEAD))
        except OSError as error:
            raise Unreachable(type(error).__name__) from error

    async def _exchanged(self, connection: _Connection, sent: bytes, method: str) -> Reply:
        connection.writer.write(sent)
        await connection.writer.drain()
        status, headers = 100, dict[str, str]()
        while status < 200:
            status, headers = _head(await connection.reader.readuntil(b"\r\n\r\n"))
        body = b"" if method == "HEAD" or status in (204, 304) else await self._body(connection.reader, headers)
        if self._keep and headers.get("connection", "").casefold() != "close" and _bounded(headers, status):
            connection.used = True
            self._idle.append(connection)
        else:
            await _ended(connection)
        return Reply(status, headers, body)

    async def _body(self, reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").casefold():
            return await self._chunks(reader)
        said = headers.get("content-length")
        if said is None:
            return await self._rest(reader)
        return await reader.readexactly(self._taken(said, 10))

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while size := self._taken((await reader.readuntil(b"\r\n")).partition(b";")[0].decode("latin-1"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
            self._taken(str(len(body)), 10)
        while (await reader.readuntil(b"\r\n")) != b"\r\n":
            continue
        return bytes(body)

    async def _rest(self, reader: asyncio.StreamReader) -> bytes:
        body = bytearray()
        while part := await reader.read(_HEAD):
            body += part
            self._taken(str(len(body)), 10)
        return bytes(body)

    def _taken(self, said: str, base: int) -> int:
        """A length, which is a number and not too large."""
        length = int(said.strip(), base)
        if not 0 <= length <= self._most:
            raise ValueError("more bytes than are taken")
        return length


async def _ended(connection: _Connection) -> None:
    connection.writer.close()
    with suppress(OSError):
        await connection.writer.wait_closed()


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = data.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("no HTTP")
    pairs = (line.partition(":") for line in lines if line)
    return int(rest[:3]), {name.strip().casefold(): value.strip() for name, _, value in pairs}


def _bounded(headers: Mapping[str, str], status: int) -> bool:
    """Whether the answer's end is known without the connection's end."""
    return "content-length" in headers or "transfer-encoding" in headers or status in (204, 304)


def _value(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise ValueError("a header has one line")
    return value
