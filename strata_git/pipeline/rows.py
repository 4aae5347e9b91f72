"""Rows of plain values: what they are in JSON, in which kinds of columns they fit, and how files of them are written.

A row is a mapping of column names to JSON values. Two rows are the same when their canonical lines are; digests are
taken of those, never of a file's bytes, which may change with the library that writes them.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

Row = Mapping[str, Any]
Column = Literal["bool", "int", "large", "float", "text", "json", "numbers"]
"""`numbers` is a list of numbers, `json` any other list or mapping, `text` also what fits nowhere else. `large` is a
whole number that no float holds, while columns are still looked for; in the end it is `int`."""
Compression = Literal["none", "gzip", "zstd"]
ENDINGS: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
_LARGEST = 1 << 63
_EXACT = 1 << 53
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def plain_row(row: Row) -> dict[str, Any]:
    """The row in JSON's own values. Raises ValueError, which names the column, for what JSON cannot say."""
    made = {}
    for name, value in row.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"a column is called {name!r}, which is no text")
        try:
            made[name] = plain(value)
        except ValueError as error:
            raise ValueError(f"column '{name}': {error}") from None
    return made


def plain(value: object) -> Any:
    """A value in JSON's own: times in ISO 8601, decimals and UUIDs as text. Raises ValueError."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("holds half a surrogate pair")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is not a finite number")
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise ValueError(f"a value of type {type(value).__name__} cannot be written")


def canonical_line(row: Row) -> bytes:
    """One plain row as the line that digests are taken of: sorted names, shortest numbers, UTF-8."""
    return _json(row, sort=True).encode() + b"\n"


def kind(value: object) -> Column | None:
    """The kind of column that a plain value asks for; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        held: Column = "int" if abs(value) <= _EXACT else "large"
        return held if -_LARGEST <= value < _LARGEST else "text"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list) and value and all(kind(one) in ("int", "float") for one in value):
        return "numbers"
    return "json"


def widened(one: Column | None, other: Column | None) -> Column | None:
    """The kind of a column that holds both."""
    if one is None or other is None or one == other:
        return one or other
    pair = {one, other}
    if pair == {"int", "float"}:
        return "float"
    if pair == {"int", "large"}:
        return "large"
    return "json" if pair == {"json", "numbers"} else "text"


def cell(value: object, column: Column) -> Any:
    """A plain value as a column of that kind holds it; lists and mappings stay what they are but in text."""
    if value is None:
        return None
    if column == "float":
        return float(value)  # type: ignore[arg-type]
    if column == "text" and not isinstance(value, str):
        return _json(value)
    return value


def written(
    rows: Sequence[Row],
    columns: Mapping[str, Column],
    form: str,
    compression: Compression = "none",
    *,
    guard: bool = True,
) -> bytes:
    """A file of those rows: `jsonl`, `csv` or `parquet`. The same rows give the same bytes with the same libraries.

    `guard`: text in a CSV file that a spreadsheet would compute begins with an apostrophe.
    """
    if form == "parquet":
        return _parquet(rows, columns, compression)
    text = _csv(rows, columns, guard=guard) if form == "csv" else "".join(f"{_json(row)}\n" for row in rows)
    return packed(text.encode(), compression)


def packed(data: bytes, compression: Compression) -> bytes:
    """Compressed, without the time of day in it."""
    if compression == "gzip":
        import gzip

        return gzip.compress(data, compresslevel=6, mtime=0)
    if compression == "zstd":
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        packed_bytes: bytes = sink.getvalue().to_pybytes()
        return packed_bytes
    return data


def guarded(text: str) -> str:
    """Text that no spreadsheet computes: an apostrophe before what begins like a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _json(value: object, *, sort: bool = False) -> str:
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _csv(rows: Iterable[Row], columns: Mapping[str, Column], *, guard: bool) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_shown(name, guard=guard) for name in columns])
    writer.writerows([_shown(row.get(name), guard=guard) for name in columns] for row in rows)
    return stream.getvalue()


def _shown(value: object, *, guard: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value) if guard else value
    return _json(value)


def _parquet(rows: Sequence[Row], columns: Mapping[str, Column], compression: Compression) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(arrow_table(rows, columns), sink, compression=compression)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def arrow_table(rows: Sequence[Row], columns: Mapping[str, Column]) -> Any:
    """Those rows as a table of Arrow; what is neither plain nor a list of numbers is text in JSON."""
    import pyarrow as pa

    types = {
        "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string(), "json": pa.string(),
        "numbers": pa.list_(pa.float64()),
    }  # fmt: skip
    held: dict[str, Column] = {name: "text" if of == "json" else of for name, of in columns.items()}
    arrays = [
        pa.array([cell(row.get(name), of) for row in rows], type=types[of], from_pandas=False)
        for name, of in held.items()
    ]
    return pa.Table.from_arrays(arrays, names=list(columns))


def columns_of(rows: Iterable[Row]) -> dict[str, Column]:
    """The columns of plain rows in the order they are first seen; one that is always null is text."""
    found: dict[str, Column | None] = {}
    for row in rows:
        note_columns(found, row)
    return settled(found)


def note_columns(found: dict[str, Column | None], row: Row) -> None:
    """Take a row's columns into account."""
    for name, value in row.items():
        found[name] = widened(found.get(name), kind(value))


def settled(found: Mapping[str, Column | None]) -> dict[str, Column]:
    """What is known in the end."""
    return {name: "int" if column == "large" else column or "text" for name, column in found.items()}


def in_parts(rows: Iterable[Row], most_rows: int, most_bytes: int = 64 << 20) -> Iterator[list[Row]]:
    """Rows in lists of at most so many, and of about so many bytes."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(canonical_line(row))
        if len(part) == most_rows or size >= most_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part
