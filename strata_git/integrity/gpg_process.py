"""Running gpg: which program, in which environment, and its status lines through a pipe of their own.

gpg's standard output and error are never read: what a user id or a notation makes gpg print there cannot be
mistaken for a status. Every call ends in time.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from subprocess import Popen

    StatusLine = list[bytes]

TIMEOUT = 30.0
"""Seconds for one gpg call that asks nobody."""

_CANDIDATES = ("/usr/bin/gpg", "/usr/local/bin/gpg", "/opt/homebrew/bin/gpg", "/opt/local/bin/gpg")
_KEPT = frozenset({
    "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "GNUPGHOME", "GPG_TTY", "HOME", "LOGNAME", "PATH", "PINENTRY_USER_DATA",
    "TERM", "TMPDIR", "TZ", "USER", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
})  # fmt: skip
_STATUS_LIMIT = 1 << 20
_PREFIX = b"[GNUPG:] "


def kept(environ: Mapping[str, str]) -> dict[str, str]:
    """What gpg gets to see of the environment `environ`."""
    return {name: value for name, value in environ.items() if name in _KEPT} | {"LC_ALL": "C.UTF-8"}


def locate(program: str | None, path: str, candidates: Iterable[str] = _CANDIDATES) -> str:
    """Absolute path of gpg: `program` itself when absolute, else found in `path`, whose relative entries are ignored.

    Raises StrataError when there is none.
    """
    name = program or "gpg"
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    places = [name] if os.path.isabs(name) else [os.path.join(folder, name) for folder in folders]
    for place in [*places, *([] if program else candidates)]:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    raise StrataError(
        f"GnuPG is not installed: no program '{printable(name)}' was found.",
        hint="Install it (Debian: apt install gnupg; macOS: brew install gnupg).",
    )


def run(
    program: str,
    arguments: list[str],
    files: Mapping[str, bytes],
    *,
    environ: Mapping[str, str],
    timeout: float = TIMEOUT,
    output: bool = False,
) -> tuple[list[StatusLine], bytes | None]:
    """gpg's status lines in words (without their prefix) and, with `output`, what it wrote (None: nothing).

    `files` (name → content) are written to a private folder that is gone afterwards; their paths follow `arguments`
    in order. Raises StrataError when gpg cannot be started or is not done after `timeout` seconds.
    """
    from subprocess import DEVNULL, Popen
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="strata-") as folder:
        paths = [os.path.join(folder, name) for name in files]
        for place, content in zip(paths, files.values(), strict=True):
            Path(place).write_bytes(content)
        result = os.path.join(folder, "output")
        ours, theirs = os.pipe()
        command = [program, f"--status-fd={theirs}", *([f"--output={result}"] if output else []), *arguments]
        try:
            process = Popen(
                [*command, "--", *paths],
                stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, pass_fds=[theirs], env=dict(environ),
            )  # fmt: skip
        except OSError as error:
            os.close(ours)
            raise StrataError(f"'{printable(program)}' cannot be run: {error.strerror}.") from error
        finally:
            os.close(theirs)
        try:
            status = _collect(ours, process, time.monotonic() + timeout)
        finally:
            os.close(ours)
        return _lines(status), Path(result).read_bytes() if os.path.exists(result) else None


def _collect(pipe: int, process: Popen[bytes], deadline: float) -> bytes:
    from subprocess import TimeoutExpired

    chunks: list[bytes] = []
    size = 0
    try:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(pipe, 65536)
            size += len(chunk)
            if not chunk or size > _STATUS_LIMIT:
                break
            chunks.append(chunk)
        if size > _STATUS_LIMIT:
            raise StrataError("gpg said more than can be about one signature.")
        process.wait(max(0.1, deadline - time.monotonic()))
    except TimeoutExpired:
        raise StrataError(
            "gpg did not finish in time and was stopped.", hint="gpgconf --kill gpg-agent, then try again."
        ) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return b"".join(chunks)


def _lines(status: bytes) -> list[StatusLine]:
    """Words of each line; a line that is cut short or lacks the prefix is not gpg's and does not count."""
    whole = status.split(b"\n")[:-1]
    return [line.removeprefix(_PREFIX).split(b" ") for line in whole if line.startswith(_PREFIX)]
