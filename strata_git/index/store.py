"""What the index remembers: rows in `index.sqlite`, each carrying a digest of its key and value.

Everything in it can be found again, so nothing here is ever an error: a row that is not whole is none, a damaged file
or one of another schema is thrown away, and where nothing can be written nothing is kept. A rollback journal, and no
log beside the file, lets it be read on media that cannot be written.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

SCHEMA = 1
"""Raised when rows mean something else than before; a file with another number is made anew."""
PLACE = "index.sqlite"
_TABLE = (
    "CREATE TABLE kept (key TEXT PRIMARY KEY, sort TEXT NOT NULL, at INTEGER NOT NULL, value BLOB NOT NULL)",
    "CREATE INDEX kept_at ON kept (sort, at)",
    f"PRAGMA user_version = {SCHEMA}",
)
_AT_ONCE = 400
_DIGEST = 16
_PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""
_NOT_DAMAGE = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
})  # fmt: skip
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
DAMAGED = "the stored index was damaged and is made anew"
OTHER = "the stored index is of another version of git-strata and is made anew"
UNKEPT = "the index cannot be kept here (is the disk full?): every question will read history again"
Tell = Callable[[str], None]


class Store:
    """A key-value store that several processes may read and write at once; the last writer of a key wins.

    `tell` is given one sentence when the file had to be thrown away or cannot be written.
    """

    def __init__(self, path: Path, tell: Tell | None = None) -> None:
        self._path = path
        self._tell = tell or (lambda _sentence: None)
        self._quiet = False
        self._turn = threading.RLock()  # one connection for all threads of a process
        self._db: sqlite3.Connection | None = None
        self._open()

    def get(self, *keys: str) -> dict[str, bytes]:
        """The values of those of `keys` that are kept, as they were put."""
        found: dict[str, bytes] = {}
        for at in range(0, len(keys), _AT_ONCE):
            part = keys[at : at + _AT_ONCE]
            marks = ",".join("?" * len(part))
            found |= self._whole(f"SELECT key, value FROM kept WHERE key IN ({marks})", part)  # noqa: S608 - marks only
        return found

    def every(self, sort: str) -> dict[str, bytes]:
        """All rows of a sort, key -> value."""
        return self._whole("SELECT key, value FROM kept WHERE sort = ?", [sort])

    def latest(self, sort: str) -> bytes | None:
        """The value of this sort that was put last."""
        rows = self._whole("SELECT key, value FROM kept WHERE sort = ? ORDER BY at DESC LIMIT 1", [sort])
        return next(iter(rows.values()), None)

    def put(self, sort: str, values: Mapping[str, bytes], *, keep: int = 0, drop: Iterable[str] = ()) -> None:
        """Keep `values` (key -> value) and forget the keys in `drop`, at once or not at all.

        With `keep`, no more than the latest `keep` rows of this sort stay.
        """
        rows = [(key, sort, _marked(key, value)) for key, value in values.items()]
        with self._turn:
            if self._db is None:
                return
            try:
                _write(self._db, sort, rows, drop, keep)
            except (sqlite3.Error, TypeError, OverflowError) as error:
                self._fail(error, writing=True)

    def clear(self) -> None:
        """Forget everything; where that cannot be done, what is kept here is not looked at any more."""
        with self._turn:
            try:
                if self._db is not None:
                    self._db.execute("DELETE FROM kept")
            except sqlite3.Error as error:
                self._fail(error, writing=True)

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._db.close()
                self._db = None

    # -- the file ----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Open what is there, or make it; once more from nothing when it is of no use."""
        for first in (True, False):
            there = self._path.exists()
            try:
                self._db = _connected(self._path)
            except sqlite3.Error as error:
                if _code(error) in _NO_ROOM and not there:
                    self._say(UNKEPT)
                    self._remove()
                    return
                if _code(error) in _NOT_DAMAGE or not first:
                    return
                self._say(DAMAGED)
            else:
                if self._db is not None:
                    return
                self._say(OTHER)
            if not self._remove():
                return

    def _whole(self, question: str, arguments: Iterable[object]) -> dict[str, bytes]:
        with self._turn:
            if self._db is None:
                return {}
            found = {}
            try:
                for key, value in self._db.execute(question, tuple(arguments)).fetchall():
                    if not isinstance(value, bytes) or value != _marked(key, value[_DIGEST:]):
                        raise sqlite3.DatabaseError("a row is not what was put there")
                    found[key] = value[_DIGEST:]
            except (sqlite3.Error, UnicodeError, AttributeError, OverflowError) as error:
                self._fail(error, writing=False)
                return {}
            return found

    def _fail(self, error: Exception, *, writing: bool) -> None:
        """Go on without; with an empty file where what is there is damaged."""
        code = _code(error)
        self.close()
        if writing and code in _NO_ROOM:
            self._say(UNKEPT)
            self._remove()
        elif code not in _NOT_DAMAGE:
            self._say(DAMAGED)
            if self._remove():
                self._open()

    def _remove(self) -> bool:
        """Whether the file could be thrown away, with whatever a writer left beside it."""
        try:
            for suffix in ("-journal", "-wal", "-shm", ""):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _say(self, sentence: str) -> None:
        if not self._quiet:
            self._quiet = True
            self._tell(sentence)


def _connected(path: Path) -> sqlite3.Connection | None:
    """A connection to the store; None where what is there is of another schema."""
    address = f"file:{quote(str(path))}?mode="
    fresh = not path.exists()
    if fresh:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(
        address + ("rwc" if fresh else "rw"), uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA synchronous = OFF")  # a row that was not written whole is none
        if _made(db) == SCHEMA:
            return db
        db.execute("BEGIN IMMEDIATE")
        made = _made(db)  # another process may have been quicker
        if made == 0 and not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _TABLE:
                db.execute(statement)
            made = SCHEMA
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    if made != SCHEMA:
        db.close()
        return None
    return db


def _write(
    db: sqlite3.Connection, sort: str, rows: Iterable[tuple[str, str, bytes]], drop: Iterable[str], keep: int
) -> None:
    db.execute("BEGIN IMMEDIATE")
    (turn,) = db.execute("SELECT coalesce(max(at), 0) + 1 FROM kept WHERE sort = ?", [sort]).fetchone()
    db.executemany(
        "INSERT OR REPLACE INTO kept (key, sort, at, value) VALUES (?, ?, ?, ?)",
        ((key, sort, turn, value) for key, sort, value in rows),
    )
    db.executemany("DELETE FROM kept WHERE key = ?", ((key,) for key in drop))
    if keep:
        latest = "SELECT key FROM kept WHERE sort = ?1 ORDER BY at DESC LIMIT ?2"
        db.execute(f"DELETE FROM kept WHERE sort = ?1 AND key NOT IN ({latest})", (sort, keep))  # noqa: S608 - ours
    db.execute("COMMIT")


def _made(db: sqlite3.Connection) -> int:
    (number,) = db.execute("PRAGMA user_version").fetchone()
    return int(number)


def _marked(key: str, value: bytes) -> bytes:
    name = key.encode()
    return hashlib.sha256(b"%d:%s%s" % (len(name), name, value)).digest()[:_DIGEST] + value


def _code(error: Exception) -> int:
    """SQLite's own number for what went wrong, without the details."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
