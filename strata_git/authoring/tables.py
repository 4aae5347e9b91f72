"""Counting the records of text tables, and saying what their columns hold. Streaming: no file is held in memory."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = frozenset({".jsonl", ".ndjson"})
COLUMN_LIMIT = 2000
"""Columns beyond which no schema is written: metadata.yaml must stay small."""

_CELL_LIMIT = 16 << 20  # characters; an unclosed quote would otherwise swallow the rest of a file
_BATCH = 2000
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_INTEGERS = re.compile(r"(?:(?:-?(?:0|[1-9][0-9]*))?\n)*")
_NUMBERS = re.compile(
    r"(?:(?:[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:[nN]a[nN]|[iI]nf))?\n)*"
)
_NOTHING, _INTEGER, _NUMBER, _STRING = range(4)
_TYPES = ("string", "integer", "number", "string")

Columns = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` is the number of records (None: not a format we count); `columns` name -> rank of type, where known."""

    rows: int | None = None
    columns: Columns | None = None


def read_table(path: Path, *, header: bool = True) -> Table:
    """Count the records of a csv, tsv or jsonl file; with `header` the first record of a csv or tsv names columns.

    A record is what the csv module takes for one (line ends inside quotes do not count); blank lines are none.
    """
    suffix = path.suffix.lower()
    if suffix not in DELIMITERS and suffix not in LINES:
        return Table()
    with open(path, "rb") as stream:
        if stream.read(2) in _UTF16:
            return Table()
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        if suffix in LINES:
            return Table(sum(1 for line in text if line.strip()))
        return _read_records(text, DELIMITERS[suffix], header)


def describe(tables: Sequence[Table]) -> list[dict[str, str]] | None:
    """The schema that all tables share: name and type (integer, number, string) of each column; None without one."""
    known = [table.columns for table in tables if table.rows is not None]
    if not known or any(columns is None for columns in known):
        return None
    sets = [columns for columns in known if columns is not None]
    names = [name for name, _ in sets[0]]
    if any([name for name, _ in columns] != names for columns in sets):
        return None
    ranks = [max(columns[place][1] for columns in sets) for place in range(len(names))]
    return [{"name": name, "type": _TYPES[rank]} for name, rank in zip(names, ranks, strict=True)]


def _read_records(text: TextIO, delimiter: str, header: bool) -> Table:
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        records = (record for record in csv.reader(text, delimiter=delimiter) if record)
        names = next(records, None) if header else None
        return _judge_records(records, names if names and _is_heading(names) else None)
    except csv.Error:
        return Table()
    finally:
        csv.field_size_limit(before)


def _judge_records(records: Iterator[list[str]], names: list[str] | None) -> Table:
    count = 0
    ranks: list[int] | None = [_NOTHING] * len(names) if names else None
    while batch := list(islice(records, _BATCH)):
        count += len(batch)
        if ranks is not None:
            ranks = _ranked(batch, ranks)
    columns = tuple(zip(names, ranks, strict=True)) if names and ranks else None
    return Table(count, columns)


def _ranked(batch: list[list[str]], ranks: list[int]) -> list[int] | None:
    """The types after these records; None when a record has more or fewer cells than the heading."""
    if any(len(record) != len(ranks) for record in batch):
        return None
    columns = zip(*batch, strict=True)
    return [rank if rank == _STRING else max(rank, _rank(cells)) for rank, cells in zip(ranks, columns, strict=True)]


def _rank(cells: Sequence[str]) -> int:
    joined = "\n".join(cells) + "\n"
    if len(joined) == len(cells):
        return _NOTHING
    if joined.count("\n") != len(cells):
        return _STRING
    if _INTEGERS.fullmatch(joined):
        return _INTEGER
    return _NUMBER if _NUMBERS.fullmatch(joined) else _STRING


def _is_heading(names: list[str]) -> bool:
    """Whether a first record can name columns in metadata.yaml: printable, not empty, each once, not too many."""
    sound = all(name.strip() and name.isprintable() and len(name) <= 200 for name in names)
    return sound and len(set(names)) == len(names) <= COLUMN_LIMIT
