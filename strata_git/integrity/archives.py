"""What is packed into a file: members of archives and the content of compressed files, within a budget. Pure.

Nothing is written anywhere, and nothing larger than the budget is ever unpacked, whatever an archive says of itself.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

EXPANDED = 256 << 20
"""Bytes that one file may unpack to, all its members together."""
MEMBERS = 20_000
RATIO = 1000
"""How many times its size a file may unpack to before that alone makes it a bomb; zeros in arrays pack well."""
_STEP = 1 << 20
_ENTRY = b"PK\x01\x02"
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class Bomb(Exception):
    """The file unpacks to far more than it could hold honestly."""


class TooMuch(Exception):
    """The file unpacks to more than is looked into. `partial` is what came out of it until then."""

    partial: bytes = b""


class Damaged(Exception):
    """The file cannot be unpacked; one line. `partial` is what came out of it until then: a reader meets it, too."""

    def __init__(self, message: str, partial: bytes = b"") -> None:
        super().__init__(message)
        self.partial = partial


@dataclass(slots=True)
class Budget:
    """What may still be unpacked from a file of `size` bytes."""

    size: int
    left: int = EXPANDED
    members: int = MEMBERS
    used: int = 0

    def spend(self, count: int) -> None:
        """Take `count` bytes; raises Bomb or TooMuch when there are not so many."""
        self.left -= count
        self.used += count
        if self.left < 0:
            if self.used > RATIO * max(self.size, 4096):
                raise Bomb
            raise TooMuch

    def count(self) -> None:
        """One more member."""
        self.members -= 1
        if self.members < 0:
            raise TooMuch


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def unpacked(data: bytes, kind: str, budget: Budget) -> bytes:
    """The content of a file compressed with gzip, bz2, xz, lzma or zlib; all its streams, one after another."""
    out = bytearray()
    rest = data
    while rest:
        machine = _machine(kind)
        try:
            rest = _one_stream(machine, rest, out, budget)
        except TooMuch as error:
            error.partial = bytes(out)
            raise
        except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as error:
            if out and rest is not data:
                break  # what follows the last stream is no stream
            if isinstance(error, lzma.LZMAError) and "limit" in str(error).lower():
                raise TooMuch from None  # a dictionary larger than what may be unpacked
            raise Damaged(f"cannot be unpacked ({error})", bytes(out)) from None
        if kind in ("zlib", "lzma") or not rest.startswith(data[:2]):
            break
    return bytes(out)


def _one_stream(machine: _Decompressor, data: bytes, out: bytearray, budget: Budget) -> bytes:
    pending = data
    while not machine.eof:
        piece = machine.decompress(pending, _STEP)
        pending = getattr(machine, "unconsumed_tail", b"")
        out += piece
        budget.spend(len(piece))
        if not piece and not pending and not machine.eof:
            raise EOFError("it is cut short")
    return bytes(getattr(machine, "unused_data", b""))


def _machine(kind: str) -> _Decompressor:
    match kind:
        case "gzip":
            return zlib.decompressobj(31)
        case "zlib":
            return zlib.decompressobj()
        case "bz2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=EXPANDED)
        case "lzma":
            return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=EXPANDED)
    raise Damaged(f"is packed with {kind}, which is not understood here")


def zip_members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file in a ZIP archive. Raises Bomb, TooMuch and Damaged."""
    if data.count(_ENTRY) > 2 * MEMBERS:  # before a list is made of them
        raise TooMuch
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            if sum(member.file_size for member in listed) > budget.left and _is_bomb(listed, len(data)):
                raise Bomb
            seen: set[str] = set()
            for member in listed:
                budget.count()
                if member.filename in seen:
                    raise Damaged(f"holds '{member.filename[:80]}' twice")
                seen.add(member.filename)
                _require_plain(member)
                if member.is_dir():
                    continue
                content = bytearray()
                try:
                    _unzip(archive, member, budget, content)
                finally:  # also of what breaks off: a reader meets the beginning
                    yield member.filename, bytes(content)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, OSError, lzma.LZMAError, EOFError, ValueError,
            RuntimeError, KeyError, IndexError, OverflowError) as error:  # fmt: skip
        raise Damaged(f"cannot be unpacked ({str(error)[:100]})") from None


def _is_bomb(listed: list[zipfile.ZipInfo], size: int) -> bool:
    return sum(member.file_size for member in listed) > RATIO * max(size, 4096)


def _require_plain(member: zipfile.ZipInfo) -> None:
    if is_outside(member.filename):
        raise Damaged(f"would unpack '{member.filename[:80]}' outside its directory")
    if member.flag_bits & 1:
        raise Damaged(f"holds '{member.filename[:80]}' encrypted")
    if member.compress_type not in _PACKED:
        raise Damaged(f"packs '{member.filename[:80]}' in a way that is not understood here")


def _unzip(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget, out: bytearray) -> None:
    with archive.open(member) as stream:
        while piece := stream.read(_STEP):
            out += piece
            budget.spend(len(piece))


def tar_members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each file in a TAR archive that is not compressed. Raises Bomb, TooMuch and Damaged."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                budget.count()
                if is_outside(member.name) or (not member.isreg() and is_outside(member.linkname)):
                    raise Damaged(f"would unpack '{member.name[:80]}' outside its directory")
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is not None:
                    budget.spend(member.size)
                    yield member.name, stream.read(member.size)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise Damaged(f"cannot be unpacked ({str(error)[:100]})") from None


def is_outside(name: str) -> bool:
    """Whether a path leads out of the directory it is relative to."""
    plain = name.replace("\\", "/")
    return plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":" or "\0" in plain
