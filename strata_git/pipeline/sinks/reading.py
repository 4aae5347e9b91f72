"""Rows out of a file that was written before: JSON lines, CSV or Parquet, one after the other."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from strata_git.errors import StrataError, printable
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Row
from strata_git.pipeline.sources.catalog import require


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file by its ending (`.jsonl`, `.csv`, `.parquet`; the first two also with `.gz`).

    Raises ExportError, with the line, for what cannot be read; StrataError for another kind of file.
    """
    form = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    readers = {"jsonl": _lines, "ndjson": _lines, "csv": _table, "parquet": _parquet}
    if form not in readers:
        raise StrataError(
            f"{printable(path.name)} is neither JSON lines, CSV nor Parquet.",
            hint="Its name must end in .jsonl, .csv or .parquet.",
        )
    return _told(path, readers[form](path))


def _told(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    try:
        yield from rows
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ExportError(f"{printable(path.name)} cannot be read: {printable(str(error))}.") from None


def _lines(path: Path) -> Iterator[Row]:
    with _opened(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise ExportError(f"{printable(path.name)}:{number}: is not a JSON object on one line.")
            yield row


def _table(path: Path) -> Iterator[Row]:
    """Everything in a CSV file is text; an empty field is null."""
    with _opened(path) as stream:
        text = io.TextIOWrapper(cast(IO[bytes], stream), encoding="utf-8-sig", newline="")
        reader = csv.reader(text, strict=True)
        try:
            names = next(reader, [])
            for fields in reader:
                if fields and len(fields) != len(names):
                    raise ExportError(
                        f"{printable(path.name)}:{reader.line_num}: has {len(fields)} fields, the first {len(names)}."
                    )
                if fields:
                    yield {name: field or None for name, field in zip(names, fields, strict=True)}
        except (csv.Error, UnicodeDecodeError) as error:
            raise ExportError(f"{printable(path.name)}:{reader.line_num}: {printable(str(error))}.") from None


def _parquet(path: Path) -> Iterator[Row]:
    require("pipeline", ("pyarrow",), "Reading Parquet")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ExportError(f"{printable(path.name)}: {printable(str(error))}") from None


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb")
