"""Tables of PostgreSQL: rows go in by COPY, are merged and noted in one transaction."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from strata_git.contracts.pipeline import WarehouseSink
from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.databases import connected, quoted, translated
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Column, Row, cell
from strata_git.pipeline.sinks.exporter import PART, Receipt
from strata_git.pipeline.sinks.tables import STAGE, Target, export, update_and_insert
from strata_git.pipeline.sources.catalog import Place

TYPES: Mapping[Column, str] = {
    "bool": "boolean", "int": "bigint", "float": "double precision", "text": "text", "json": "jsonb",
    "numbers": "jsonb",
}  # fmt: skip
_TURNS = 0x5354524154410001
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def exporter(settings: WarehouseSink, place: Place) -> Postgres:
    """The exporter for those settings."""

    def connection() -> Any:
        password = place.secrets.get(settings.key) if settings.key else None
        return connected(settings, password, port=5432, tls=False)

    return Postgres(place.name, settings, connection)


@dataclass(frozen=True, slots=True)
class Postgres:
    """A table of a data base."""

    name: str
    settings: WarehouseSink
    connection: Callable[[], Any] = field(repr=False)
    backoff: Backoff = field(default=Backoff(attempts=4), repr=False)

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """All rows, or none."""
        engine = PostgresEngine(f"{self.name}: {self.settings.database}", self.connection)
        return export(engine, self.settings, self.name, rows, run_id, part, self.backoff)


@dataclass(slots=True)
class PostgresEngine:
    """One connection, for one transaction."""

    what: str
    connect: Callable[[], Any]
    types: Mapping[Column, str] = field(default_factory=lambda: TYPES)
    mark: str = "%s"
    turns: bool = True
    """Whether exports take turns from the beginning: two that make one table at once would stumble over each other."""
    _open: Any = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Committed at the end of the block; rolled back where it fails."""
        with translated(ExportError, self.what):
            self._open = self.connect()
            try:
                if self.turns:
                    self.execute(f"SELECT pg_advisory_xact_lock({_TURNS})")
                yield
                self._open.commit()
            finally:
                self._open.close()

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """One statement."""
        with self._open.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            count: int = cursor.rowcount
            return max(count, 0)

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Sequence[Sequence[Any]]:
        """One query."""
        with self._open.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            found: Sequence[Sequence[Any]] = cursor.fetchall()
            return found

    def load(self, columns: Mapping[str, Column], rows: Iterable[Row]) -> None:
        """COPY in its text form."""
        names = ", ".join(map(quoted, columns))
        lines = (self._line(columns, row) for row in rows)
        with self._open.cursor() as cursor:
            cursor.copy_expert(f"COPY {STAGE} ({names}) FROM STDIN", _Lines(lines))

    def lock(self, table: str) -> None:
        """Readers go on."""
        self.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")

    def merge(self, target: Target) -> int:
        """Rows that are the same stay untouched."""
        return update_and_insert(self, target)

    def _line(self, columns: Mapping[str, Column], row: Row) -> str:
        return "\t".join(self._cell(name, row.get(name), column) for name, column in columns.items()) + "\n"

    def _cell(self, name: str, value: object, column: Column) -> str:
        if value is None:
            return "\\N"
        held = cell(value, column)
        text = held if isinstance(held, str) and column == "text" else json.dumps(held, ensure_ascii=False)
        if "\0" in text or (column in ("json", "numbers") and "\\u0000" in text):
            raise ExportError(f"{self.what}: column '{printable(name)}' holds a zero byte, which no text there can.")
        return text.translate(_ESCAPES)


class _Lines(io.TextIOBase):
    """Lines as a file that is read in pieces."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._left = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> str:
        limit = size if size is not None and size > 0 else 1 << 16
        while len(self._left) < limit:
            line = next(self._lines, None)
            if line is None:
                break
            self._left += line
        data, self._left = self._left[:limit], self._left[limit:]
        return data
