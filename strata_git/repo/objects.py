"""Reading objects in bulk: one long-lived `git cat-file --batch`."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

_AT_ONCE = 400
_BYTES_AT_ONCE = 16 << 10
"""Requests written before answers are read: far below a pipe's capacity, so neither side can block the other."""

_CHUNK = 1 << 20
_Row = TypeVar("_Row")


class Header(NamedTuple):
    """What precedes an object's bytes."""

    oid: str
    kind: str
    size: int


class TooLarge(ValueError):
    """An object has more bytes than the caller will take."""


class _Ended(Exception):
    """Git ended before its answer did."""


class ObjectReader:
    """Objects by id. Absent ones (partial clones, damage) raise KeyError; nothing is ever fetched.

    Git gives up when it is asked for an object of a partial clone that it may not fetch. That one is absent, git is
    started anew, and from then on nothing is asked for that is not here.
    """

    def __init__(self, git: list[str], *, directory: Path, env: Mapping[str, str]) -> None:
        self._git = git
        self._directory = directory
        self._env = dict(env)
        self._here: set[str] | None = None  # every object there is, once one proved absent the hard way
        self._process = self._start()

    @property
    def closed(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def learn(self, oid: str) -> None:
        """An object was written meanwhile."""
        if self._here is not None:
            self._here.add(oid)

    def read(self, oid: str, limit: int | None = None) -> tuple[str, bytes]:
        """Type and bytes of one object; TooLarge above `limit` bytes."""
        with self._answer(oid) as header:
            if limit is not None and header.size > limit:
                self._skip(header.size)
                raise TooLarge(f"{header.size} bytes, more than {limit}")
            return header.kind, self._body(header.size)

    def read_many(self, oids: Iterable[str]) -> Iterator[tuple[str, str, bytes] | tuple[str, None, None]]:
        """`(oid, type, bytes)` for each in order; type and bytes are None for an absent object."""
        for oid, row in self.lookup(oids):
            yield (oid, None, None) if row is None else (oid, row[1], row[2])

    def lookup(self, names: Iterable[str]) -> Iterator[tuple[str, tuple[str, str, bytes] | None]]:
        """`(name, (id, type, bytes))` for each object name such as `COMMIT:path`; None where it names nothing."""
        return self._sweep(names, lambda header: (header.oid, header.kind, self._body(header.size)))

    def digest(self, oid: str, keep: int = 0) -> tuple[str, int, bytes]:
        """SHA-256 (hex) and size of a blob, streamed; with its bytes when it has no more than `keep` of them."""
        with self._answer(oid) as header:
            return self._digested(header, keep)

    def digest_many(self, oids: Iterable[str], keep: int = 0) -> Iterator[tuple[str, tuple[str, int, bytes] | None]]:
        """`(oid, digest)` for each, as `digest` has it; None for an absent object."""
        return self._sweep(oids, lambda header: self._digested(header, keep))

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

    @contextlib.contextmanager
    def _answer(self, name: str) -> Iterator[Header]:
        if self._is_absent(name):
            raise KeyError(name)
        self._ask([name])
        try:
            header = self._header()
            if header is None:
                raise KeyError(name)
            yield header
        except _Ended:
            self._restart()
            raise KeyError(name) from None

    def _sweep(self, names: Iterable[str], take: Callable[[Header], _Row]) -> Iterator[tuple[str, _Row | None]]:
        for batch in _batches(names):
            # taken off the pipe as a whole, so that a caller may stop early or ask in between
            answers: dict[str, _Row | None] = {}
            while left := [name for name in batch if name not in answers]:
                asked = [name for name in left if not self._is_absent(name)]
                answers.update((name, None) for name in left if self._is_absent(name))
                self._ask(asked)
                try:
                    for name in asked:
                        header = self._header()
                        answers[name] = take(header) if header else None
                except _Ended:
                    answers[name] = None
                    self._restart()
            yield from ((name, answers[name]) for name in batch)

    def _is_absent(self, name: str) -> bool:
        expression = ":" in name or "^" in name
        return self._here is not None and not expression and name not in self._here

    def _ask(self, names: list[str]) -> None:
        stream = cast("IO[bytes]", self._process.stdin)
        with contextlib.suppress(BrokenPipeError):  # git ended; that its answer is missing tells
            stream.write("".join(f"{name}\n" for name in names).encode())
            stream.flush()

    def _header(self) -> Header | None:
        line = self._out.readline()
        if not line:
            raise _Ended
        fields = line.rstrip(b"\n").rsplit(b" ", 2)
        if len(fields) != 3 or not fields[2].isdigit():
            return None  # "<oid> missing" (or "ambiguous")
        return Header(fields[0].decode(), fields[1].decode(), int(fields[2]))

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._git, "cat-file", "--batch"],
            cwd=self._directory,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _restart(self) -> None:
        self.close()
        if self._here is None:
            every = [*self._git, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)"]
            listed = subprocess.run(every, cwd=self._directory, env=self._env, capture_output=True, check=False)
            self._here = set(listed.stdout.decode().split())
        self._process = self._start()

    def _body(self, size: int) -> bytes:
        body = self._take(size + 1)
        return body[:-1]

    def _digested(self, header: Header, keep: int) -> tuple[str, int, bytes]:
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

    def _skip(self, size: int) -> None:
        left = size + 1
        while left:
            left -= len(self._take(min(left, _CHUNK)))

    def _take(self, size: int) -> bytes:
        data = self._out.read(size)
        if len(data) != size:
            raise _Ended
        return data


def _batches(oids: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for oid in oids:
        batch.append(oid)
        size += len(oid) + 1
        if len(batch) == _AT_ONCE or size > _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
