"""Tables of a DuckDB file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata_git.contracts.pipeline import WarehouseSink
from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.databases import quoted
from strata_git.pipeline.errors import ExportError, Kind, told
from strata_git.pipeline.rows import Column, Row, arrow_table, in_parts
from strata_git.pipeline.sinks.exporter import PART, Receipt
from strata_git.pipeline.sinks.tables import STAGE, Target, export, update_and_insert
from strata_git.pipeline.sources.catalog import Place

TYPES: Mapping[Column, str] = {
    "bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "json": "JSON", "numbers": "DOUBLE[]",
}  # fmt: skip
_GIVEN = "strata_given"


def exporter(settings: WarehouseSink, place: Place) -> DuckDb:
    """The exporter for those settings; a relative `database` is below the workspace's root."""
    return DuckDb(place.name, settings, place.root / settings.database)


@dataclass(frozen=True, slots=True)
class DuckDb:
    """A table of a file."""

    name: str
    settings: WarehouseSink
    file: Path
    backoff: Backoff = field(default=Backoff(attempts=5), repr=False)

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """All rows, or none."""
        engine = _DuckDbEngine(self.name, self.file, self.backoff)
        return export(engine, self.settings, self.name, rows, run_id, part, Backoff(attempts=1))


@dataclass(slots=True)
class _DuckDbEngine:
    """One connection, for one transaction. Only one process may have the file open; others wait for it a while."""

    name: str
    file: Path
    backoff: Backoff
    types: Mapping[Column, str] = field(default_factory=lambda: TYPES)
    mark: str = "?"
    _open: Any = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Committed at the end of the block; rolled back where it fails."""
        self._open = self.backoff.call(self._connected)
        try:
            with self._translated():
                self._open.execute("BEGIN TRANSACTION")
                yield
                self._open.execute("COMMIT")
        finally:
            self._open.close()

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """One statement."""
        answer = self._open.execute(statement, list(parameters)).fetchall()
        counted = statement.startswith(("INSERT", "UPDATE")) and answer
        return int(answer[0][0]) if counted else 0

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Sequence[Sequence[Any]]:
        """One query."""
        found: Sequence[Sequence[Any]] = self._open.execute(statement, list(parameters)).fetchall()
        return found

    def load(self, columns: Mapping[str, Column], rows: Iterable[Row]) -> None:
        """Arrow tables, some thousand rows each."""
        names = ", ".join(map(quoted, columns))
        for part in in_parts(rows, 20_000):
            self._open.register(_GIVEN, arrow_table(part, columns))
            self._open.execute(f"INSERT INTO {STAGE} ({names}) SELECT {names} FROM {_GIVEN}")  # noqa: S608 - quoted
            self._open.unregister(_GIVEN)

    def lock(self, table: str) -> None:
        """The file is ours alone already."""

    def merge(self, target: Target) -> int:
        """Rows that are the same stay untouched."""
        return update_and_insert(self, target)

    def _connected(self) -> Any:
        import duckdb

        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self._translated():
            return duckdb.connect(str(self.file))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            busy = "lock" in str(error).lower()
            kind: Kind = (
                "unavailable" if busy else "not_found" if isinstance(error, duckdb.CatalogException) else "invalid"
            )
            raise ExportError(f"{self.name}: {printable(str(self.file))}: {told(error)}", kind=kind) from None
