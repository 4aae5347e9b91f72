"""Answers that were paid for: kept until they are asked for again, so that a run that starts anew pays nothing twice.

    .strata/local/answers.sqlite     one row an answer, by the digest of its question; likewise one row a vector

A row is on the disk before the answer is used: after `kill -9` at any moment no answer is lost that was used, and none
is there in part. The file is local (Git ignores it) and can be deleted at any time; that costs only money.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.pipeline.models.client import Answer

PLACE = ".strata/local/answers.sqlite"
_SCHEMA = "CREATE TABLE IF NOT EXISTS answer(question TEXT PRIMARY KEY, said TEXT NOT NULL) WITHOUT ROWID"
_VECTORS = "CREATE TABLE IF NOT EXISTS vector(asked TEXT PRIMARY KEY, said BLOB NOT NULL) WITHOUT ROWID"
_PATIENCE_S = 60


class Memory:
    """The answers of one workspace; any thread may ask, and any number of processes at once.

    Raises StrataError where the file cannot be made or read.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / PLACE
        self._lock = threading.Lock()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._line = sqlite3.connect(self._path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
            self._line.execute("PRAGMA journal_mode=WAL")
            self._line.execute("PRAGMA synchronous=FULL")
            self._line.execute(_SCHEMA)
            self._line.execute(_VECTORS)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from None

    def recall(self, question: str) -> Answer | None:
        """The answer to the question with this digest, or None."""
        try:
            with self._lock:
                found = self._line.execute("SELECT said FROM answer WHERE question = ?", (question,)).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from None
        if found is None:
            return None
        said = json.loads(found[0])
        said["cost"] = None if said["cost"] is None else Decimal(said["cost"])
        return replace(Answer(**said), attempts=0, remembered=True, seconds=0.0)

    def keep(self, question: str, answer: Answer) -> None:
        """Write the answer down; the first one stands where two were had at once."""
        said = asdict(answer) | {"cost": None if answer.cost is None else str(answer.cost)}
        try:
            with self._lock:
                self._line.execute("INSERT OR IGNORE INTO answer VALUES (?, ?)", (question, json.dumps(said)))
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def recall_vector(self, asked: str) -> bytes | None:
        """The vector of the text with this digest (`models.embedding`), or None."""
        try:
            with self._lock:
                found = self._line.execute("SELECT said FROM vector WHERE asked = ?", (asked,)).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from None
        return None if found is None else bytes(found[0])

    def keep_vectors(self, vectors: Iterable[tuple[str, bytes]]) -> None:
        """Write vectors down, by digest; all of them or, where the disk refuses, none."""
        try:
            with self._lock:
                self._line.execute("BEGIN IMMEDIATE")
                try:
                    self._line.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?)", vectors)
                    self._line.execute("COMMIT")
                except BaseException:
                    self._line.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def close(self) -> None:
        with self._lock:
            self._line.close()

    def _failed(self, error: Exception) -> StrataError:
        return StrataError(
            f"The answers of earlier runs ({PLACE}) cannot be used: {printable(str(error))}.",
            hint=f"What stands there can be had again, for its price: remove {PLACE}",
        )
