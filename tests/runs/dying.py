"""A run that ends as by a power cut: at its n-th change of the disk, or when somebody kills it."""

from __future__ import annotations

import errno
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from strata_git.repo.process import Result

CODE = 77
_DISK = ("fsync", "ftruncate", "link", "mkdir", "pwrite", "rename", "replace", "rmdir", "unlink", "write")
_SHRINKING = frozenset({"rmdir", "unlink", "ftruncate", "pwrite"})
"""What is done on a full disk too; the held file's own block is room enough for what is noted in it."""
_GIT = frozenset({"hash-object", "mktag", "update-index", "update-ref", "write-tree"})


class Changes:
    """Counts what changes the disk, and ends the process before change number `fatal` (0: never).

    From change number `refuse` on (0: never) the disk is full: whatever takes room is refused.
    """

    def __init__(self, fatal: int = 0, refuse: int = 0) -> None:
        self.seen = 0
        self.names: list[str] = []
        self._fatal = fatal
        self._refuse = refuse

    def around(self, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **options: Any) -> Any:
            if name == "write" and not stat.S_ISREG(os.fstat(words[0]).st_mode):
                return change(*words, **options)  # a pipe takes no room
            self.seen += 1
            self.names.append(name)
            if self.seen == self._fatal:
                os._exit(CODE)
            if self._refuse and self.seen >= self._refuse and name not in _SHRINKING:
                if name == "git":
                    return Result(128, b"", b"fatal: unable to write: No space left on device\n")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return change(*words, **options)

        return counted

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count in this process: calls of the system that change files, and git where it writes."""
        from strata_git.repo.command import Repository

        with pytest.MonkeyPatch.context() as patch:
            for name in _DISK:
                patch.setattr(os, name, self.around(name, getattr(os, name)))
            plain = Repository.try_git
            counted = self.around("git", plain)
            patch.setattr(
                Repository,
                "try_git",
                lambda *words, **more: (counted if _GIT & {*words[1:]} else plain)(*words, **more),
            )
            yield


def forked(work: Callable[[], object]) -> int:
    """The id of a process of its own that does `work`, tells nobody, and ends without tidying up."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
        work()
        code = 0
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Its exit code, negative for the signal that ended it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def killed_after(work: Callable[[], object], seconds: float) -> int:
    """The exit code of `work` in a process that is killed after so many seconds, unless it was quicker."""
    child = forked(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child)
