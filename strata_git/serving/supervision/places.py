"""Where a running service keeps what is its own: state and logs in the repository, sockets where paths are short."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from strata_git.contracts.layout import NAME
from strata_git.errors import StrataError, UsageError, printable

SERVICES = ".strata/local/services"
LONGEST = 90
"""Most bytes of a directory of sockets: the address of a Unix socket has 108 with its name (104 on macOS)."""


def services_directory(root: Path) -> Path:
    """Where the services of a work tree keep their state."""
    return root / SERVICES


def service_directory(root: Path, name: str) -> Path:
    """A service's own directory, made when it is not there. Raises StrataError for links and what is no directory."""
    if not NAME.fullmatch(name):
        raise UsageError(f"'{printable(name)}' is not the name of a service.")
    place = root
    for part in (*SERVICES.split("/"), name):
        place /= part
        try:
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o700 if part == name else 0o755)
            if not stat.S_ISDIR(place.lstat().st_mode):
                raise StrataError(f"{printable(str(place))} is not a directory.", hint="Remove it, and try again.")
        except OSError as error:
            raise StrataError(f"{printable(str(place))} cannot be made: {error.strerror}.") from None
    return place


@contextlib.contextmanager
def held_alone(directory: Path, name: str) -> Iterator[None]:
    """Hold the service's lock: one process a service and work tree. It ends with the process, however that ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(directory / "lock", flags, 0o600)
    except OSError as error:
        raise StrataError(f"{printable(str(directory / 'lock'))} cannot be opened: {error.strerror}.") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StrataError(
                f"The service {printable(name)} runs already.",
                hint=f"git strata service status {printable(name)}\ngit strata service stop {printable(name)}",
            ) from None
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def socket_directory() -> Iterator[Path]:
    """A private directory (0700) for Unix sockets, removed afterwards."""
    base = tempfile.gettempdir()
    if len(os.fsencode(base)) > LONGEST - 20:
        base = "/tmp"  # noqa: S108 - the directory made there is private and has a name nobody can foretell
    place = tempfile.mkdtemp(prefix="strata-", dir=base)
    try:
        yield Path(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
