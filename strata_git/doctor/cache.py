"""Verdicts remembered by what was judged: rule set, path and tree id. Disposable; losing it costs time only."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

_SCHEMA = "CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_AT_ONCE = 900
_MARK = 8
_NOT_DAMAGE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})


class Cache:
    """A small key-value store in SQLite, shared by all processes and work trees of a repository.

    A damaged file is thrown away; where nothing can be written, nothing is remembered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        try:
            self._db = self._opened()
        except (sqlite3.Error, OSError):
            with contextlib.suppress(sqlite3.Error, OSError):
                self._remove()
                self._db = self._opened()

    def get(self, keys: Iterable[str]) -> dict[str, object]:
        """The values kept under those of `keys` that are known."""
        found: dict[str, object] = {}
        wanted = list(keys)
        if self._db is None:
            return found
        try:
            for at in range(0, len(wanted), _AT_ONCE):
                part = wanted[at : at + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._db.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", part)  # noqa: S608 - marks only
                found.update((key, json.loads(value[_MARK:])) for key, value in rows if _is_whole(value))
        except (sqlite3.Error, ValueError) as error:
            self._give_up(error)
            return {}
        return found

    def put(self, values: Mapping[str, object]) -> None:
        """Keep values (JSON-able) under their keys."""
        if self._db is None or not values:
            return
        rows = [(key, _marked(json.dumps(value, separators=(",", ":")))) for key, value in values.items()]
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            self._give_up(error)

    def clear(self) -> None:
        """Forget everything."""
        if self._db is None:
            return
        try:
            with self._db:
                self._db.execute("DELETE FROM kept")
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=5.0)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.execute(_SCHEMA)
            db.commit()
        except BaseException:
            db.close()
            raise
        return db

    def _give_up(self, error: Exception) -> None:
        self.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_DAMAGE:
            with contextlib.suppress(OSError):
                self._remove()

    def _remove(self) -> None:
        for suffix in ("-wal", "-shm", ""):  # a log left behind would be replayed into the next file
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)


def _marked(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}{text}"


def _is_whole(value: object) -> bool:
    """Whether a value is what was put there: SQLite does not notice a flipped bit in a text."""
    return isinstance(value, str) and value[:_MARK] == f"{zlib.crc32(value[_MARK:].encode()):08x}"
