"""The journal of a sweep: one line for each trial that ended, on disk before anything else is told of it.

It is how a sweep that was killed or stopped goes on. A line that death cut short is the last one, and is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.runs.sweeps.trial import Ended

JOURNAL = "journal.jsonl"
_LIMIT = 256 << 20


class Journal:
    """An open journal, to which trials are added as they end."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def add(self, *ended: Ended) -> None:
        """Write down trials, and wait until the disk has them."""
        from strata_git.load import canonical_json

        data = b"".join(canonical_json(one.line()) + b"\n" for one in ended)
        while data:
            data = data[os.write(self._handle, data) :]
        os.fsync(self._handle)


@contextmanager
def kept(path: Path) -> Iterator[Journal]:
    """The journal at `path`, made anew."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        yield Journal(handle)
    finally:
        os.close(handle)


def read_journal(path: Path) -> list[Ended]:
    """Trials in the order they ended; none where there is no journal. StrataError for one that was tampered with."""
    from strata_git.load import Unloadable, load_json

    try:
        if path.is_symlink() or path.stat().st_size > _LIMIT:
            raise StrataError(f"{printable(str(path))} is no journal of a sweep.")
        whole, _, _ = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return []
    found: dict[int, Ended] = {}
    for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
        try:
            value = load_json(line).value
            ended = Ended.read(value if isinstance(value, dict) else {})
        except (Unloadable, KeyError, TypeError, ValueError):
            raise StrataError(
                f"{printable(str(path))}:{number} is no line of a sweep's journal.",
                hint="Begin anew: git strata sweep EXPERIMENT",
            ) from None
        found.setdefault(ended.index, ended)
    return list(found.values())
