"""Zip archives of strangers: members are unpacked bit by bit and counted; what their headers say of sizes counts for
nothing."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused

_MEMBERS = 20_000
_PART = 1 << 16
_RATIO = 2000  # deflate reaches 1032:1 at most; only prepared archives overlap members
_SMALL = 1 << 20


class Archive:
    """An open archive. `left` bytes may still be unpacked, all members together."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self.limits = limits
        self.left = limits.expanded
        try:
            self._zip = zipfile.ZipFile(stream)
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, struct.error) as error:
            raise Refused("malformed", f"its archive cannot be read: {error}") from None
        if len(infos) > _MEMBERS:
            raise Refused("expands", f"its archive has more than {_MEMBERS} members")
        self._infos = {info.filename: info for info in infos}

    @property
    def names(self) -> tuple[str, ...]:
        """All members, as the archive spells them."""
        return tuple(self._infos)

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return name in self._infos

    def parts(self, name: str) -> Iterator[bytes]:
        """A member's content, in parts. Raises Refused for one that is missing, damaged, encrypted or too much."""
        info = self._infos.get(name)
        if info is None:
            raise Refused("malformed", f"its archive has no {name}")
        if info.flag_bits & 0x1:
            raise Refused("encrypted", "its archive is encrypted")
        total = 0
        try:
            with self._zip.open(info) as member:
                while part := member.read(_PART):
                    total += len(part)
                    self.left -= len(part)
                    if self.left < 0:
                        raise Refused("expands", f"it unpacks to more than {self.limits.expanded} bytes")
                    if total > _SMALL and total > _RATIO * max(info.compress_size, 1):
                        raise Refused("expands", f"{name} unpacks to more than {_RATIO} times its size")
                    yield part
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            raise Refused("malformed", f"{name} cannot be unpacked: {error}") from None

    def read(self, name: str, most: int = 64 << 20) -> bytes:
        """A member's content whole; Refused when it has more than `most` bytes."""
        data = bytearray()
        for part in self.parts(name):
            data += part
            if len(data) > most:
                raise Refused("expands", f"{name} unpacks to more than {most} bytes")
        return bytes(data)

    def close(self) -> None:
        """Let go of the stream's directory; the stream itself stays open."""
        self._zip.close()


@contextmanager
def opened(stream: BinaryIO, limits: Limits) -> Iterator[Archive]:
    """The archive in a seekable stream."""
    archive = Archive(stream, limits)
    try:
        yield archive
    finally:
        archive.close()


def member_names(stream: BinaryIO) -> tuple[str, ...]:
    """Names in the archive's directory; none when it has no sound one."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return tuple(archive.namelist()[:_MEMBERS])
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, struct.error):
        return ()


class _Parser(Protocol):
    StartDoctypeDeclHandler: object
    EntityDeclHandler: object

    def Parse(self, data: bytes, isfinal: bool, /) -> int: ...  # noqa: N802 - expat's own spelling


def guarded_parser() -> _Parser:
    """An expat parser that refuses documents with a DTD: none of ours may have one, and entities come from there."""
    from xml.parsers import expat

    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_: object) -> None:
        raise Refused("malformed", "its XML declares a document type, as only prepared files do")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    return cast(_Parser, parser)
