"""Files below a directory, inside the workspace or outside of it.

No link is followed out of that directory, not even one that is put there between listing and opening: every part of a
path is opened by itself, relative to the one before. A link to a file inside is read as that file; links to
directories are not walked, and neither is a `.git`.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from strata_git.contracts.pipeline import LocalConnector
from strata_git.errors import printable
from strata_git.pipeline.errors import ConnectorError, Kind
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.patterns import Patterns, composed, patterns

_TYPES = mimetypes.MimeTypes(filenames=())
for _ending, _type in {
    ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet", ".jsonl": "application/jsonl",
    ".yaml": "application/yaml", ".yml": "application/yaml", ".webp": "image/webp",
}.items():  # fmt: skip
    _TYPES.add_type(_type, _ending)
_KINDS: dict[type[OSError], Kind] = {
    FileNotFoundError: "not_found",
    NotADirectoryError: "not_found",
    PermissionError: "permission",
}
_PARENT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def connector(settings: LocalConnector, place: Place) -> Local:
    """The connector for those settings; a relative `root` is below the workspace's."""
    return Local(place.name, (place.root / settings.root).resolve(), settings.include, settings.exclude)


def media_type(name: str) -> str:
    """What a name's ending claims; empty for one that claims nothing known."""
    return _TYPES.guess_type(name, strict=False)[0] or ""


@dataclass(frozen=True, slots=True)
class Local:
    """The files below `root`, a directory whose own path has no links left."""

    name: str
    root: Path
    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """Regular files in the bytewise order of their paths."""
        chosen = patterns(select, exclude, self.include, self.exclude)
        if not self.root.is_dir():
            raise self._failed("", FileNotFoundError(2, "there is no such directory"))
        return self._walk(b"", chosen)

    @contextmanager
    def open(self, ref: ResourceRef) -> Iterator[BinaryIO]:
        """The file's bytes."""
        path = self._inside(ref)
        try:
            stream = open(self._handle(path), "rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._failed(ref.name, error) from None
        with stream:
            yield stream

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """The file as it is now."""
        path = self._inside(ref)
        try:
            handle = self._handle(path)
        except OSError as error:
            raise self._failed(ref.name, error) from None
        try:
            return self._told(path, os.fstat(handle))
        finally:
            os.close(handle)

    def _walk(self, below: bytes, chosen: Patterns) -> Iterator[ResourceInfo]:
        shown = _name(below)
        try:
            with os.scandir(os.path.join(os.fsencode(self.root), below)) as found:
                entries = sorted(found, key=_place)
        except OSError as error:
            raise self._failed(shown, error) from None
        for entry in entries:
            path = below + entry.name
            if entry.name == b".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                if chosen.may_hold(f"{_name(path)}/"):
                    yield from self._walk(path + b"/", chosen)
            elif chosen.take(_name(path)) and (seen := self._seen(path)):
                yield self._told(path, seen)

    def _seen(self, path: bytes) -> os.stat_result | None:
        """The regular file that a path leads to without leaving the root; None for all else."""
        try:
            seen = os.lstat(os.path.join(os.fsencode(self.root), path))
            if stat.S_ISLNK(seen.st_mode):
                seen = os.lstat(os.path.join(os.fsencode(self.root), self._target(path)))
        except OSError:
            return None  # gone, or a link that leads out or nowhere
        return seen if stat.S_ISREG(seen.st_mode) else None

    def _told(self, path: bytes, seen: os.stat_result) -> ResourceInfo:
        name = _name(path)
        return ResourceInfo(
            ResourceRef(name, _uri(os.path.join(os.fsencode(self.root), path))),
            bytes=seen.st_size,
            modified=datetime.fromtimestamp(seen.st_mtime, UTC),
            etag=f"{seen.st_mtime_ns:x}-{seen.st_size:x}",
            media_type=media_type(name),
        )

    def _inside(self, ref: ResourceRef) -> bytes:
        """The path of a reference below the root. Raises ConnectorError for one that is none of ours."""
        parts = urlsplit(ref.uri)
        path = unquote_to_bytes(parts.path)
        root = os.fsencode(self.root).rstrip(b"/") + b"/"
        inner = path.removeprefix(root)
        if parts.scheme != "file" or not path.startswith(root) or b".." in inner.split(b"/"):
            raise ConnectorError(f"{self.name}: {printable(ref.uri)} is not below {printable(str(self.root))}.")
        return inner

    def _target(self, path: bytes) -> bytes:
        """Where a path leads in the end, relative to the root. Raises FileNotFoundError when that is outside."""
        root = os.fsencode(self.root).rstrip(b"/") + b"/"
        real = os.path.realpath(root + path)
        if not real.startswith(root):
            raise FileNotFoundError(2, "it leads out of the directory")
        return real.removeprefix(root)

    def _handle(self, path: bytes) -> int:
        """An open file; raises OSError for whatever is not a regular file below the root."""
        *parents, last = self._target(path).split(b"/")
        directory = os.open(self.root, _PARENT)
        try:
            for part in parents:
                inner = os.open(part, _PARENT | os.O_NOFOLLOW, dir_fd=directory)
                os.close(directory)
                directory = inner
            handle = os.open(last, _FILE, dir_fd=directory)
        finally:
            os.close(directory)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(22, "it is not a regular file")
        return handle

    def _failed(self, name: str, error: OSError) -> ConnectorError:
        where = f"{self.root}/{name}" if name else str(self.root)
        return ConnectorError(
            f"{self.name}: {printable(where)} cannot be read: {error.strerror}.",
            kind=_KINDS.get(type(error), "invalid"),
            hint="Is connectors." + self.name + ".root in strata.yaml right?" if not name else "Is it still there?",
        )


def _place(entry: os.DirEntry[bytes]) -> bytes:
    """What makes the order of a walk that of whole paths."""
    return entry.name + b"/" if entry.is_dir(follow_symlinks=False) else entry.name


def _name(path: bytes) -> str:
    return composed(path.decode("utf-8", "backslashreplace"))


def _uri(path: bytes) -> str:
    return "file://" + quote_from_bytes(path)
