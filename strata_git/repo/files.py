"""Writing to the work tree so that nothing is ever half there: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from strata_git.errors import StrataError, printable

_FICLONE = 0x40049409  # linux/fs.h: share the extents, where the file system can


def write_file(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replace `path` by `data` in one step. Raises StrataError when the disk refuses.

    `durable=False`: what may be lost with the power is not waited for.
    """
    short = os.fsdecode(os.fsencode(path.name)[:200])  # names are limited in bytes
    temporary = path.with_name(f".{short}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with open(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if durable:
            fsync_dir(path.parent)
    except OSError as error:
        raise unwritable(path, error) from None


def copy_file(source: Path, target: Path) -> int:
    """Copy a regular file to a new name and return its size in bytes; a reflink where the file system has them.

    Never a hard link: two names of one file would change together. Raises StrataError for links, special files and
    refusals of the disk.
    """
    try:
        with open(_open_regular(source), "rb") as reader:
            size = os.fstat(reader.fileno()).st_size
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(target, flags, 0o644), "wb") as writer, _removed_on_failure(target):
                if not _cloned(reader.fileno(), writer.fileno()):
                    _copied(reader.fileno(), writer.fileno())
                os.fsync(writer.fileno())
        return size
    except OSError as error:
        raise unwritable(target, error) from None


def fsync_dir(directory: Path) -> None:
    """Make renames inside `directory` durable, where the platform can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def unwritable(path: Path, error: OSError) -> StrataError:
    """The sentence for a disk that refuses."""
    reason = error.strerror or str(error)
    return StrataError(
        f"{printable(str(path))} could not be written: {reason}.",
        hint="Check free space and permissions, then run the command again; nothing was changed.",
    )


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _open_regular(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StrataError(f"{printable(str(path))} could not be read: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StrataError(f"{printable(str(path))} is not a regular file.")
    return handle


def _cloned(reader: int, writer: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(writer, _FICLONE, reader)
    except OSError:
        return False
    return True


def _copied(reader: int, writer: int) -> None:
    while part := os.read(reader, 1 << 20):
        view = memoryview(part)
        while view:
            view = view[os.write(writer, view) :]
