"""Runs `git strata` and ends it at the n-th write: `python -m tests.flows.crashing N before|after -- WORDS...`.

A write is a file put in place, a git command that stores an object or moves a reference, or a note. The process is
ended as a power cut would: nothing is cleaned up. With N = 0 it goes to the end, and the last line of standard error
says how many writes there were.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

CODE = 77
WRITING = frozenset({"mktag", "hash-object", "update-ref", "update-index", "notes", "add", "commit", "push", "fetch"})


class Counter:
    """Counts writes, and ends the process at one of them."""

    def __init__(self, fatal: int, place: str) -> None:
        self.seen = 0
        self._fatal = fatal
        self._place = place

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """`write`, counted."""

        def counted(*words: Any, **options: Any) -> Any:
            self.seen += 1
            if self.seen == self._fatal and self._place == "before":
                os._exit(CODE)
            result = write(*words, **options)
            if self.seen == self._fatal:
                os._exit(CODE)
            return result

        return counted

    def around_git(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A method of `Repository`, counted where it writes."""
        counted = self.around(call)

        def judged(repo: Any, *words: str, **options: Any) -> Any:
            writes = bool(WRITING & set(words)) and "list" not in words
            return (counted if writes else call)(repo, *words, **options)

        return judged


def main() -> int:
    """Patch, then run the command line."""
    from strata_git.repo import files
    from strata_git.repo.command import Repository

    counter = Counter(int(sys.argv[1]), sys.argv[2])
    files.write_file = counter.around(files.write_file)
    for name in ("try_git", "try_user_git"):  # `git` and `user_git` call these
        setattr(Repository, name, counter.around_git(getattr(Repository, name)))
    from strata_git.cli.main import main as run

    code = run(sys.argv[4:])
    print(f"writes: {counter.seen}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
