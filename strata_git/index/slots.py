"""Answers remembered for one state of the repository: the same question in the same state is one row read.

A state is what `ledger.remembered.answer_key` makes of references, keys, settings, pin, boundary and hour, with the
revision and the rule set. Before an answer is kept the state is asked for once more: what was read while something
moved is told, and not kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from strata_git.index.store import Store

_LIMIT = 256 << 20
_PACKED = 64 << 10
"""Bytes from which on a value is compressed."""
_STATES, _SINGLE = 3, 48
"""How many states of a part, and how many answers about single artifacts, are kept."""


class Slots:
    """Parts of an index by name: JSON values for the state `key`. Without a key nothing is recalled or kept."""

    def __init__(self, store: Store, key: str, still: Callable[[], str]) -> None:
        self._store = store
        self._key = key
        self._still = still

    def recall(self, part: str) -> Any:
        """The answer for this state; None where it is not remembered."""
        value = self.recall_bytes(part)
        return None if value is None else json.loads(value)

    def recall_bytes(self, part: str) -> bytes | None:
        """As `recall`, for what was kept by `keep_bytes`."""
        key = f"{part}:{self._key}"
        value = self._store.get(key).get(key) if self._key else None
        return None if value is None else _unpacked(value)

    def earlier(self, part: str) -> Any:
        """The answer that was kept last, of whatever state; None where there is none."""
        value = self._store.latest(_sort(part))
        return None if value is None else json.loads(_unpacked(value))

    def keep(self, part: str, answer: object) -> None:
        """Keep an answer (JSON data), unless the repository is in another state by now."""
        if self._key:
            self.keep_bytes(part, json.dumps(answer, separators=(",", ":")).encode())

    def keep_bytes(self, part: str, data: bytes) -> None:
        """As `keep`, for bytes."""
        if self._key and len(data) <= _LIMIT and self._still() == self._key:
            value = b"z" + zlib.compress(data, 1) if len(data) > _PACKED else b"-" + data
            keep = _SINGLE if "/" in part else _STATES
            self._store.put(_sort(part), {f"{part}:{self._key}": value}, keep=keep)


def _sort(part: str) -> str:
    return f"part:{part.partition('/')[0]}"


def _unpacked(value: bytes) -> bytes:
    return zlib.decompress(value[1:]) if value[:1] == b"z" else value[1:]
