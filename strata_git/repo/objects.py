"""Reading objects in bulk: one long-lived `git cat-file --batch`."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, cast

_AT_ONCE = 400
"""Requests written before answers are read: far below a pipe's capacity, so neither side can block the other."""

_CHUNK = 1 << 20


class Header(NamedTuple):
    """What precedes an object's bytes."""

    oid: str
    kind: str
    size: int


class TooLarge(ValueError):
    """An object has more bytes than the caller will take."""


class ObjectReader:
    """Objects by id. Absent ones (partial clones, damage) raise KeyError; nothing is ever fetched."""

    def __init__(self, git: list[str], *, directory: Path, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [*git, "cat-file", "--batch"],
            cwd=directory,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def read(self, oid: str, limit: int | None = None) -> tuple[str, bytes]:
        """Type and bytes of one object; TooLarge above `limit` bytes."""
        self._ask([oid])
        header = self._header()
        if header is None:
            raise KeyError(oid)
        if limit is not None and header.size > limit:
            self._skip(header.size)
            raise TooLarge(f"{header.size} bytes, more than {limit}")
        return header.kind, self._body(header.size)

    def read_many(self, oids: Iterable[str]) -> Iterator[tuple[str, str, bytes] | tuple[str, None, None]]:
        """`(oid, type, bytes)` for each in order; type and bytes are None for an absent object."""
        for batch in _batches(oids):
            self._ask(batch)
            answers: list[tuple[str, str, bytes] | tuple[str, None, None]] = []
            for oid in batch:  # taken off the pipe as a whole, so that a caller may stop early or ask in between
                header = self._header()
                answers.append((oid, None, None) if header is None else (oid, header.kind, self._body(header.size)))
            yield from answers

    def lookup(self, names: Iterable[str]) -> Iterator[tuple[str, tuple[str, str, bytes] | None]]:
        """`(name, (id, type, bytes))` for each object name such as `COMMIT:path`; None where it names nothing."""
        for batch in _batches(names):
            self._ask(batch)
            answers: list[tuple[str, tuple[str, str, bytes] | None]] = []
            for name in batch:
                header = self._header()
                answers.append((name, (header.oid, header.kind, self._body(header.size)) if header else None))
            yield from answers

    def digest(self, oid: str, keep: int = 0) -> tuple[str, int, bytes]:
        """SHA-256 (hex) and size of a blob, streamed; with its bytes when it has no more than `keep` of them."""
        self._ask([oid])
        header = self._header()
        if header is None:
            raise KeyError(oid)
        if header.size <= keep:
            body = self._body(header.size)
            return hashlib.sha256(body).hexdigest(), header.size, body
        sha = hashlib.sha256()
        left = header.size
        while left:
            part = self._take(min(left, _CHUNK))
            sha.update(part)
            left -= len(part)
        self._take(1)
        return sha.hexdigest(), header.size, b""

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None and self._process.returncode is None:
            self.close()

    # -- the protocol ----------------------------------------------------------------------------------------

    @property
    def _out(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def _ask(self, oids: list[str]) -> None:
        stream = cast("IO[bytes]", self._process.stdin)
        stream.write("".join(f"{oid}\n" for oid in oids).encode())
        stream.flush()

    def _header(self) -> Header | None:
        line = self._out.readline()
        if not line:
            raise KeyError("the object reader ended")
        fields = line.rstrip(b"\n").rsplit(b" ", 2)
        if len(fields) != 3 or not fields[2].isdigit():
            return None  # "<oid> missing" (or "ambiguous")
        return Header(fields[0].decode(), fields[1].decode(), int(fields[2]))

    def _body(self, size: int) -> bytes:
        body = self._take(size + 1)
        return body[:-1]

    def _skip(self, size: int) -> None:
        left = size + 1
        while left:
            left -= len(self._take(min(left, _CHUNK)))

    def _take(self, size: int) -> bytes:
        data = self._out.read(size)
        if len(data) != size:
            raise KeyError("the object reader ended")
        return data


def _batches(oids: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for oid in oids:
        batch.append(oid)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
