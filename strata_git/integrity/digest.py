"""SHA-256 of files on disk, as fast as one machine reads them.

Small files go through one thread (threads lose there: the interpreter's lock), large ones through a small pool
that hashes without the lock. Links are never followed, below `root` not even in a directory's place; anything but
a regular file is refused before a byte is read, so a FIFO cannot hang us.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from strata_git.errors import StrataError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


Place = TypeVar("Place", str, Path)

LARGE = 1 << 20
"""Bytes from which a file is worth a thread of its own."""
THREADS = min(4, os.cpu_count() or 1)

_CHUNK = 128 << 10
_BUFFER = 256 << 10
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY


def sha256_files(
    paths: Sequence[Place],
    *,
    root: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[tuple[Place, str, int]]:
    """(path, SHA-256 hex, bytes) of each of `paths`, in their order; with `root` they are relative to it.

    `progress` is told the number of bytes hashed since it was told last, always from the calling thread.
    Raises StrataError for what cannot be read or is no regular file.
    """
    tell = progress or _silent
    results: list[tuple[Place, str, int] | None] = [None] * len(paths)
    large: list[tuple[int, int]] = []
    with _Door(root) as door:
        for position, path in enumerate(paths):
            size, found = _small(door, os.fspath(path))
            if found is None:
                large.append((size, position))
            else:
                results[position] = (path, found, size)
                tell(size)
        names = [os.fspath(paths[position]) for _, position in sorted(large, reverse=True)]
        order = [position for _, position in sorted(large, reverse=True)]
        for position, (hex_, size) in zip(order, _pooled(door, names, tell), strict=True):
            results[position] = (paths[position], hex_, size)
    return [result for result in results if result is not None]


def sha256_directory(
    root: str | os.PathLike[str],
    *,
    skip: frozenset[str] = frozenset(),
    progress: Callable[[int], None] | None = None,
) -> list[tuple[str, str, int]]:
    """(relative path, SHA-256 hex, bytes) of every file below `root`, sorted bytewise, but for the paths in `skip`.

    Raises StrataError where anything but directories and regular files lies there.
    """
    return sha256_files([path for path in list_files(root) if path not in skip], root=root, progress=progress)


def list_files(root: str | os.PathLike[str]) -> list[str]:
    """Relative paths of everything but directories below `root`, sorted bytewise; links are listed, not followed."""
    top = os.fspath(root)
    found: list[str] = []
    waiting = deque([("", top)])
    while waiting:
        prefix, directory = waiting.popleft()
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
                    else:
                        found.append(prefix + entry.name)
        except OSError as error:
            raise _unreadable(directory, error) from error
    return sorted(found, key=os.fsencode)


def hash_stream(read: Callable[[int], bytes]) -> tuple[str, int]:
    """(SHA-256 hex, bytes) of what `read(count)` yields until it yields nothing."""
    hasher, size = sha256(), 0
    while chunk := read(_BUFFER):
        hasher.update(chunk)
        size += len(chunk)
    return hasher.hexdigest(), size


class _Door:
    """Opens files; below a root it walks down directory by directory, and no link can lead it elsewhere."""

    def __init__(self, root: str | os.PathLike[str] | None) -> None:
        self._root = None if root is None else os.fspath(root)
        self._top = -1
        self._here = ("", -1)

    def __enter__(self) -> _Door:
        if self._root is not None:
            try:
                self._top = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            except OSError as error:
                raise _unreadable(self._root, error) from error
            self._here = ("", self._top)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        if self._top >= 0:
            os.close(self._top)

    def open(self, path: str) -> tuple[int, os.stat_result]:
        """Descriptor and status of the regular file `path`; for one thread at a time."""
        directory, _, name = path.rpartition("/")
        if self._root is None:
            return _regular(path, path, None)
        if directory != self._here[0]:
            self._leave()
            if directory:
                self._here = (directory, self._descend(directory, path))
        return _regular(name, path, self._here[1])

    def open_apart(self, path: str) -> tuple[int, os.stat_result]:
        """The same without memory of the last directory; for any number of threads."""
        if self._root is None:
            return _regular(path, path, None)
        directory, _, name = path.rpartition("/")
        handle = self._descend(directory, path) if directory else os.dup(self._top)
        try:
            return _regular(name, path, handle)
        finally:
            os.close(handle)

    def _leave(self) -> None:
        if self._here[0]:
            os.close(self._here[1])
        self._here = ("", self._top)

    def _descend(self, directory: str, path: str) -> int:
        parts = directory.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):
            raise StrataError(f"'{printable(path)}' is not a plain path relative to its directory.")
        handle = self._top
        for part in parts:
            try:
                lower = os.open(part, _DIRECTORY, dir_fd=handle)
            except OSError as error:
                raise _unreadable(path, error) from error
            finally:
                if handle != self._top:
                    os.close(handle)
            handle = lower
        return handle


def _regular(name: str, path: str, directory: int | None) -> tuple[int, os.stat_result]:
    try:
        handle = os.open(name, _FILE, dir_fd=directory)
    except OSError as error:
        raise _unreadable(path, error) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise StrataError(
            f"'{printable(path)}' is not a regular file.", hint="Artifacts hold plain files only: remove it."
        )
    return handle, status


def _small(door: _Door, path: str) -> tuple[int, str | None]:
    """(bytes, hex) of a file read at once; (bytes, None) when it is large."""
    handle, status = door.open(path)
    try:
        if status.st_size >= LARGE:
            return status.st_size, None
        hasher, size = sha256(), 0
        while chunk := os.read(handle, _CHUNK):
            hasher.update(chunk)
            size += len(chunk)
            if len(chunk) < _CHUNK and size >= status.st_size:
                break
        return size, hasher.hexdigest()
    except OSError as error:  # pragma: no cover - a disk that fails under us
        raise _unreadable(path, error) from error
    finally:
        os.close(handle)


def _pooled(door: _Door, paths: list[str], tell: Callable[[int], None]) -> Iterator[tuple[str, int]]:
    if THREADS == 1 or len(paths) < 2:
        yield from (_large(door, path, tell) for path in paths)
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    done: deque[int] = deque()
    with ThreadPoolExecutor(min(THREADS, len(paths))) as pool:
        tasks = [pool.submit(_large, door, path, done.append) for path in paths]
        try:
            for task in tasks:
                while wait([task], timeout=0.2).not_done:
                    _drain(done, tell)
                _drain(done, tell)
                yield task.result()
        finally:
            pool.shutdown(cancel_futures=True)
    _drain(done, tell)


def _drain(done: deque[int], tell: Callable[[int], None]) -> None:
    count = 0
    while done:
        count += done.popleft()
    if count:
        tell(count)


def _large(door: _Door, path: str, tell: Callable[[int], object]) -> tuple[str, int]:
    handle, _ = door.open_apart(path)
    hasher, size, told = sha256(), 0, 0
    buffer = bytearray(_BUFFER)
    view = memoryview(buffer)
    try:
        with open(handle, "rb", buffering=0) as stream:
            while count := stream.readinto(buffer):
                hasher.update(view[:count])
                size += count
                if size - told >= 16 << 20:
                    tell(size - told)
                    told = size
    except OSError as error:  # pragma: no cover - a disk that fails under us
        raise _unreadable(path, error) from error
    tell(size - told)
    return hasher.hexdigest(), size


def _unreadable(path: str, error: OSError) -> StrataError:
    if error.errno == errno.ELOOP:
        return StrataError(
            f"'{printable(path)}' is a symbolic link, which is never followed.",
            hint="Put the file itself in its place.",
        )
    return StrataError(f"'{printable(path)}' cannot be read: {error.strerror or error}.")


def _silent(_: int) -> None:
    return None
