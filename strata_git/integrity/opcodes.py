"""Pickles read opcode by opcode: what they would import and call, without running any of it. Pure.

This is a tripwire: it tells what is known and what is plainly wrong. A pickle about which nothing is told is not
thereby safe; only a format that cannot run code is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from strata_git.integrity.pickle_machine import COMPUTED, Machine, Walk

__all__ = ["COMPUTED", "OPCODES_LIMIT", "Walk", "is_pickle", "looks_like_pickle", "walk", "walk_all"]

OPCODES_LIMIT = 2_000_000
"""Opcodes of one stream that are followed: some seconds' work."""

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_FIRST_LOOK = 2000
_IN_A_ROW = 1000
_SURE = 3
"""Opcodes in a row after which bytes that begin like a pickle are held for one, though it breaks off."""
_PLAIN_CALL = re.compile(
    rb"[ci](?:os|posix|nt|subprocess|builtins|__builtin__|runpy|pty|commands|importlib|sys|ctypes|socket)\n"
    rb"(?:system|popen\w*|spawn\w*|exec\w*|eval|compile|__import__|getattr|open|run\w*|call|check_\w+|Popen|import_module)\n"
)


def walk(data: bytes, at: int = 0, *, limit: int = OPCODES_LIMIT) -> Walk:
    """Follow the pickle that begins at `at`.

    What joblib writes between opcodes is stepped over, as joblib does. pickle itself would not, so such a stream is
    followed a second time without: an import hidden where an array should be is found either way.
    """
    done = Machine(data, at).follow(limit)
    if done.arrays:
        plain = Machine(data, at, arrays=False).follow(limit)
        hidden = {name for name in plain.imports - done.imports if _NAME.fullmatch(name)}
        done.imports |= hidden
        done.calls |= plain.calls & hidden
    if done.broken:
        for found in _PLAIN_CALL.finditer(data, at):
            module, name = found[0][1:-1].decode().split("\n")
            done.imports.add(f"{module}.{name}")
    return done


def walk_all(data: bytes, *, limit: int = OPCODES_LIMIT) -> Iterator[Walk]:
    """Follow the pickle at the beginning, and those that follow it end to end: a reader may go on reading."""
    at = 0
    for _ in range(_IN_A_ROW):
        if at >= len(data):
            return
        done = walk(data, at, limit=limit)
        if at == 0 or is_pickle(done, data[at : at + 2]):
            yield done
        if not done.finished or done.end <= at:
            return
        at = done.end


def looks_like_pickle(data: bytes) -> bool:
    """Whether `data` begins with a pickle: by its header, or (protocols 0 and 1 have none) by what it does."""
    at = 0
    for _ in range(_IN_A_ROW):
        head = data[at : at + 2]
        if not head or not (_has_header(head) or head[0] in _FIRST):
            return False
        done = walk(data, at, limit=_FIRST_LOOK)
        if done.limited and not _has_header(head):
            done = walk(data, at)
        if is_pickle(done, head):
            return True
        if not done.finished:
            return False
        at = done.end  # one that does nothing may stand before one that does
    return False


def is_pickle(done: Walk, head: bytes) -> bool:
    """Whether what was followed is a pickle at all, and no other data that begins alike.

    With a header, three sound opcodes count. Without one, many a text begins like a pickle: it must call something, or
    import something and end as pickles do. Bytes that do neither do nothing.
    """
    if _has_header(head):
        return not done.harmless or done.finished or done.limited or done.opcodes >= _SURE
    return bool(done.calls) or (done.finished and not done.harmless)


def _has_header(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0x80 and head[1] < 16


_FIRST = frozenset(b"()]}cdilNIFKJLMSTUVXGPQR0e\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x82\x83\x84\x93\x95\x96BC2t")
"""Opcodes with which a pickle without header can begin."""
