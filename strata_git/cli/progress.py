"""Progress on a terminal: silent elsewhere, and silent while there is nothing to wait for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SILENT, _EVERY = 1.0, 0.2
"""Seconds before the first word, and between two."""


@contextmanager
def counting(verb: str) -> Iterator[Callable[[int], None] | None]:
    """Something to be told how many more were done; it counts them on standard error, and leaves no trace there."""
    if not sys.stderr.isatty():
        yield None
        return
    begun = told = time.monotonic()
    count = 0

    def step(more: int) -> None:
        nonlocal count, told
        count += more
        now = time.monotonic()
        if now - begun > _SILENT and now - told > _EVERY:
            told = now
            sys.stderr.write(f"\r\033[K{verb} {count:,}")
            sys.stderr.flush()

    try:
        yield step
    finally:
        if told != begun:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
