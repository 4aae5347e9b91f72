"""Answers of commands that only ask, told again as they were for as long as nothing they follow from has changed.

What an answer follows from is `ledger.remembered.answer_key`, the words of the question and the program itself. Each is
a file in the cache, under a name made of all that, with a digest in front; only what an index told that was sure of
everything is kept. SQLite is not even loaded where an answer is known.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strata_git.cli.session import Session

_SETTLED = re.compile(r"HEAD|[0-9a-f]{40}|[0-9a-f]{64}")
"""Revisions that mean the same as long as no reference moves (a reflog's, a shortened id does not)."""
_LIMIT = 4 << 20
_KEPT = 24
"""Answers that are kept, the latest ones."""
_DIGEST = 32
Command = Callable[..., "int | None"]


def recalled(command: Command) -> Command:
    """A command (session and options in, exit code out) that reads and prints; what it printed may be told again."""

    @functools.wraps(command)
    def told(session: Session, **options: Any) -> int | None:
        if not _SETTLED.fullmatch(str(options.get("revision"))):
            return command(session, **options)
        state = functools.partial(_state, session, [command.__module__, repr(sorted(options.items())), _program()])
        key = state()
        place = session.repository().cache_dir / "said" / key
        known = _read(place)
        if known is not None:
            _write(known)
            return 0
        printed, aside, code = _captured(lambda: command(session, **options))
        said = b"%d:%s%s" % (len(printed), printed, aside)
        _write(said)
        if code in (None, 0) and len(said) <= _LIMIT and session.is_sure and state() == key:
            _keep(place, said)
        return code

    return told


def _state(session: Session, question: list[str]) -> str:
    from strata_git.ledger.remembered import answer_key

    return answer_key(session.repository(), ["said", *question])


def _read(place: Path) -> bytes | None:
    """An answer that is as it was kept."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as stream:
            data = stream.read(_DIGEST + _LIMIT + 1)
    except OSError:
        return None
    return data[_DIGEST:] if data[:_DIGEST] == _digest(place.name, data[_DIGEST:]) else None


def _keep(place: Path, said: bytes) -> None:
    """Keep an answer, and forget the oldest. Where nothing can be written, nothing happens."""
    from strata_git.errors import StrataError
    from strata_git.repo.files import write_file

    with contextlib.suppress(OSError, StrataError):
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, _digest(place.name, said) + said, durable=False)
        kept = sorted(place.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True)
        for old in kept[_KEPT:]:
            old.unlink()


def _digest(name: str, said: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(f"{name}:".encode() + said).digest()


def _captured(ask: Callable[[], int | None]) -> tuple[bytes, bytes, int | None]:
    """What is printed to standard output and to standard error meanwhile."""
    import io

    streams = [io.TextIOWrapper(io.BytesIO(), sys.stdout.encoding or "utf-8", sys.stdout.errors, "\n") for _ in "oe"]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = ask()
    printed = []
    for stream in streams:
        stream.flush()
        printed.append(stream.buffer.getvalue() if isinstance(stream.buffer, io.BytesIO) else b"")
    return printed[0], printed[1], code


def _write(said: bytes) -> None:
    length, _, rest = said.partition(b":")
    for stream, data in ((sys.stdout, rest[: int(length)]), (sys.stderr, rest[int(length) :])):
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()


def _program() -> str:
    """When the program was last changed, where that happens without a new version: in a working copy of it."""
    rooms = Path(__file__).parent.parent
    if "site-packages" in rooms.parts:
        return ""
    changed = 0
    for room in ("checks", "cli", "contracts", "doctor", "index", "integrity", "ledger", "repo"):
        with os.scandir(rooms / room) as entries:
            changed = max([changed, *(entry.stat().st_mtime_ns for entry in entries if entry.name.endswith(".py"))])
    return str(changed)
