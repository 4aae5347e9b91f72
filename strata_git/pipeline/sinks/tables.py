"""One export into a table, in one transaction: was it done before, the table, a staging table, the merge, the note.

`strata_exports`, beside the table, says which part of which run is in it, and with what digest. It is written in
the same transaction as the rows, so that either both are there or neither; a second export of the same finds its line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from strata_git.contracts.pipeline import WarehouseSink
from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.databases import quoted, table_name
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Column, Row
from strata_git.pipeline.sinks.exporter import Receipt, already_other, require_names
from strata_git.pipeline.sinks.spool import Spool, spooled

STAGE = "strata_stage"
_LEDGER = "strata_exports"


class Engine(Protocol):
    """A data base as this needs it."""

    @property
    def types(self) -> Mapping[Column, str]:
        """What columns of new tables are."""

    @property
    def mark(self) -> str:
        """What stands for a parameter."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, with errors as ExportError."""

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; the number of rows that it changed."""

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Sequence[Sequence[Any]]:
        """What a query gives."""

    def load(self, columns: Mapping[str, Column], rows: Iterable[Row]) -> None:
        """Fill the staging table."""

    def lock(self, table: str) -> None:
        """Let nobody else write to a table until the end of the transaction."""

    def merge(self, target: Target) -> int:
        """Bring what is in the staging table into the table by its keys; the number of rows changed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A table, its keys, and the columns that an export brings."""

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it stands in a statement."""
        return table_name(self.table)

    @property
    def listed(self) -> str:
        """The columns, quoted."""
        return ", ".join(map(quoted, self.columns))

    def same_key(self, one: str, other: str) -> str:
        """The condition that two rows have one key."""
        return " AND ".join(f"{one}.{quoted(key)} = {other}.{quoted(key)}" for key in self.keys)


def export(
    engine: Engine, settings: WarehouseSink, sink: str, rows: Iterable[Row], run_id: str, part: str, backoff: Backoff
) -> Receipt:
    """Put the rows into the table, once. Raises ExportError; nothing is changed then.

    A transaction that broke is tried again: even one whose commit was not answered finds its own note.
    """
    if "%" in settings.table:
        raise ExportError(f"{sink}: a table's name cannot hold a per cent sign here.")
    require_names(sink, run_id, part)
    uri = f"{settings.type}:{settings.database}/{settings.table}"
    with spooled(sink, rows) as spool:
        places, dropped = spool.distinct(sink, settings.key_fields) if settings.mode == "merge" else (None, 0)
        target = Target(settings.table, tuple(settings.key_fields), tuple(spool.columns))

        def once() -> int:
            written = 0
            with engine.transaction():
                if not _is_there(engine, sink, settings, spool, run_id, part):
                    if spool.count:
                        _prepare(engine, sink, target, spool)
                        engine.load(spool.columns, spool.rows() if places is None else spool.at(places))
                        written = engine.merge(target) if settings.mode == "merge" else _append(engine, target)
                    _note(engine, settings, spool, run_id, part)
            return written

        return Receipt(sink, uri, run_id, part, spool.digest, spool.count, backoff.call(once), dropped)


def update_and_insert(engine: Engine, target: Target) -> int:
    """A merge in two statements that every data base has: rows that differ are updated, new ones inserted."""
    rest = [quoted(name) for name in target.columns if name not in target.keys]
    engine.lock(target.name)
    changed = 0
    if rest:
        values = ", ".join(f"{name} = {STAGE}.{name}" for name in rest)
        differs = " OR ".join(f"CAST(t.{n} AS VARCHAR) IS DISTINCT FROM CAST({STAGE}.{n} AS VARCHAR)" for n in rest)
        changed = engine.execute(
            f"UPDATE {target.name} AS t SET {values} FROM {STAGE} WHERE {target.same_key('t', STAGE)} AND ({differs})"  # noqa: S608 - quoted
        )
    return changed + engine.execute(
        f"INSERT INTO {target.name} ({target.listed}) SELECT {target.listed} FROM {STAGE} "  # noqa: S608 - quoted
        f"WHERE NOT EXISTS (SELECT 1 FROM {target.name} AS t WHERE {target.same_key('t', STAGE)})"
    )


def merge_statement(target: Target) -> str:
    """MERGE as Redshift has it (PostgreSQL 15 understands it, too): no alias for the table, both branches there."""
    rest = [name for name in target.columns if name not in target.keys] or list(target.keys)
    values = ", ".join(f"{quoted(name)} = {STAGE}.{quoted(name)}" for name in rest)
    given = ", ".join(f"{STAGE}.{quoted(name)}" for name in target.columns)
    return (
        f"MERGE INTO {target.name} USING {STAGE} ON {target.same_key(target.name, STAGE)} "  # noqa: S608 - quoted
        f"WHEN MATCHED THEN UPDATE SET {values} WHEN NOT MATCHED THEN INSERT ({target.listed}) VALUES ({given})"
    )


def _append(engine: Engine, target: Target) -> int:
    return engine.execute(f"INSERT INTO {target.name} ({target.listed}) SELECT {target.listed} FROM {STAGE}")  # noqa: S608 - quoted


def _ledger(settings: WarehouseSink) -> str:
    schema, dot, _ = settings.table.rpartition(".")
    return table_name(f"{schema}{dot}{_LEDGER}")


def _is_there(engine: Engine, sink: str, settings: WarehouseSink, spool: Spool, run_id: str, part: str) -> bool:
    """Whether that part is in the table; holds the ledger until the end, so that two at once take turns."""
    ledger, mark = _ledger(settings), engine.mark
    engine.execute(
        f"CREATE TABLE IF NOT EXISTS {ledger} (target varchar(300) NOT NULL, run varchar(100) NOT NULL, "
        "part varchar(100) NOT NULL, digest varchar(80) NOT NULL, row_count bigint NOT NULL)"
    )
    engine.lock(ledger)
    found = engine.rows(
        f"SELECT digest FROM {ledger} WHERE target = {mark} AND run = {mark} AND part = {mark}",  # noqa: S608 - quoted
        (settings.table, run_id, part),
    )
    if found and found[0][0] != spool.digest:
        raise already_other(sink, settings.table, run_id, part)
    return bool(found)


def _note(engine: Engine, settings: WarehouseSink, spool: Spool, run_id: str, part: str) -> None:
    marks = ", ".join([engine.mark] * 5)
    engine.execute(
        f"INSERT INTO {_ledger(settings)} (target, run, part, digest, row_count) VALUES ({marks})",  # noqa: S608 - quoted
        (settings.table, run_id, part, spool.digest, spool.count),
    )


def _prepare(engine: Engine, sink: str, target: Target, spool: Spool) -> None:
    """The table with all columns, made where it is missing, and an empty staging table with the same types."""
    _require_names(sink, target)
    kinds = engine.types
    columns = ", ".join(f"{quoted(name)} {kinds[column]}" for name, column in spool.columns.items())
    engine.execute(f"CREATE TABLE IF NOT EXISTS {target.name} ({columns})")
    there = set(_columns(engine, target))
    for name, column in spool.columns.items():
        if name not in there:
            engine.execute(f"ALTER TABLE {target.name} ADD COLUMN {quoted(name)} {kinds[column]}")
    engine.execute(f"CREATE TEMP TABLE {STAGE} AS SELECT {target.listed} FROM {target.name} WHERE 1 = 0")  # noqa: S608 - quoted


def _columns(engine: Engine, target: Target) -> Iterator[str]:
    schema, _, table = target.table.rpartition(".")
    where = f"table_name = {engine.mark}" + (f" AND table_schema = {engine.mark}" if schema else "")
    words = (table, schema) if schema else (table,)
    query = f"SELECT column_name FROM information_schema.columns WHERE {where}"  # noqa: S608 - marks
    yield from (str(row[0]) for row in engine.rows(query, words))


def _require_names(sink: str, target: Target) -> None:
    for name in target.columns:
        if len(name.encode()) > 63 or "\0" in name:
            raise ExportError(
                f"{sink}: '{printable(name)}' cannot name a column there.",
                hint="At most 63 bytes: longer names would be cut short and could collide.",
            )
