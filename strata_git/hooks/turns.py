"""Pushes are judged one after the other: each by references that hold what the one before it was let do.

Git moves references after the hook has ended, so a lock that lasts as long as the hook would be let go too early. What
a push was let do is therefore noted in the lock's file, and the next one waits until it is done, or until the process
that was to do it has ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs

LOCK = "strata/receiving"
PATIENCE = 120.0
"""Seconds that a push waits for its turn."""
_PAUSE = 0.02

Let = Callable[[Mapping[str, str]], None]
"""Says that references may move: full name -> object id, null ids where one is deleted."""


@contextmanager
def turn(repo: Repository, receiver: int, *, patience: float = PATIENCE) -> Iterator[Let]:
    """Wait until no other push is being judged or carried out, and keep others waiting meanwhile.

    `receiver` is the process that will move the references once the hook has ended. Where the repository cannot be
    written to nobody waits. Raises StrataError when the turn does not come.
    """
    until = time.monotonic() + patience
    handle = _opened(repo.common_dir / LOCK)
    if handle is None:
        yield lambda _: None
        return
    try:
        _wait(lambda: _locked(handle), until)
        _wait(lambda: _is_done(repo, _read(handle)), until)
        _write(handle, None)
        yield lambda refs: _write(handle, {"pid": receiver, "begun": _begun(receiver), "refs": dict(refs)})
    finally:
        os.close(handle)


def _opened(path: Path) -> int | None:
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    return None


def _wait(done: Callable[[], bool], until: float) -> None:
    while not done():
        if time.monotonic() > until:
            raise StrataError("Other pushes are being judged, and this one's turn did not come.", hint="Push again.")
        time.sleep(_PAUSE)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _is_done(repo: Repository, promise: object) -> bool:
    """Whether what was let happen has happened, or never will."""
    if not isinstance(promise, dict) or not isinstance(refs := promise.get("refs"), dict):
        return True
    pid = promise.get("pid")
    if not isinstance(pid, int) or _begun(pid) != promise.get("begun") or not promise["begun"]:
        return True
    there = {ref.name: ref.oid for ref in list_refs(repo)}
    return all(there.get(name, repo.null_oid) == oid for name, oid in refs.items())


def _begun(pid: int) -> str:
    """When a process began, in the system's own count; empty for one that is gone (or where that is not told)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _read(handle: int) -> object:
    try:
        return json.loads(os.pread(handle, 1 << 24, 0))
    except (OSError, ValueError, RecursionError):
        return None


def _write(handle: int, promise: object) -> None:
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(promise).encode(), 0)
