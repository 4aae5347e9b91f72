"""Tables as CSV (RFC 4180): a line of column names, then the rows. An empty cell is a missing value."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strata_git.serving.columns import Bounds, Field, NanPolicy, Signature, Table
from strata_git.serving.errors import RequestError
from strata_git.serving.tables import plain
from strata_git.serving.values import column_array

_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read_csv(body: bytes, signature: Signature, *, nan: NanPolicy = "refuse", bounds: Bounds | None = None) -> Table:
    """The rows of a CSV body in UTF-8. Raises RequestError with the column, and the row counted from 0."""
    bounds = bounds or Bounds()
    if wide := next((field.name for field in signature.inputs if field.inner), None):
        raise RequestError("holds arrays, which CSV cannot: send JSON", field=wide, status=415)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError("The body is no UTF-8 text.", status=400) from None
    if "\0" in text:
        raise RequestError("The body holds a NUL.", status=400)
    names, rows = _cells(text, bounds)
    order = _order(names, signature)
    columns = list(zip(*rows, strict=True))
    arrays = []
    for field in signature.inputs:
        values = _values(columns[order[field.name]], field)
        arrays.append(column_array(values, field, nan, bounds))
    return Table(signature.inputs, len(rows), arrays)


def write_csv(outputs: Mapping[str, Any]) -> bytes:
    """The answers as CSV. A column of arrays becomes one a place (`probabilities.0`); what is not finite is empty.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    names: list[str] = []
    columns: list[list[Any]] = []
    for name, array in outputs.items():
        if array.ndim == 1:
            names.append(name)
            columns.append(plain(array))
            continue
        flat = array.reshape(array.shape[0], -1)
        for place in range(flat.shape[1]):
            names.append(f"{name}.{place}")
            columns.append(plain(flat[:, place]))
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\r\n")
    writer.writerow([_safe(name) for name in names])
    writer.writerows([_safe(value) for value in row] for row in zip(*columns, strict=True))
    return told.getvalue().encode("utf-8", "replace")


def _cells(text: str, bounds: Bounds) -> tuple[list[str], list[list[str]]]:
    rows: list[list[str]] = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        names = next(reader, [])
        for row in reader:
            if not row and len(names) != 1:  # an empty line, at the end above all
                continue
            if len(row) != len(names) and not (not row and len(names) == 1):
                raise RequestError(f"row {len(rows)}: has {len(row)} cells for {len(names)} columns")
            rows.append(row or [""])
            if len(rows) > bounds.rows:
                raise RequestError(f"The body has more than {bounds.rows} rows.", status=413)
    except csv.Error:
        raise RequestError("The body is no CSV.", status=400) from None
    if not rows:
        raise RequestError("The body has no rows: a line of column names, then at least one row.")
    return names, rows


def _order(names: Sequence[str], signature: Signature) -> dict[str, int]:
    if len(set(names)) < len(names):
        raise RequestError("The first line names a column twice.")
    order = {name: place for place, name in enumerate(names)}
    if absent := next((name for name in signature.names if name not in order), None):
        raise RequestError("is missing", field=absent)
    known = set(signature.names)
    if strange := next((name for name in names if name not in known), None):
        raise RequestError("is not a column of this model", field=strange)
    return order


def _values(cells: Sequence[str], field: Field) -> list[Any]:
    if field.type == "string":
        return list(cells)
    read: Callable[[str], Any] = _bool if field.type == "bool" else float if field.is_float else _whole
    made: list[Any] = []
    for place, cell in enumerate(cells):
        word = cell.strip()
        try:
            if "_" in word:
                raise ValueError
            made.append(read(word) if word else None)
        except (ValueError, KeyError):
            kind = "true or false" if field.type == "bool" else "a number" if field.is_float else "a whole number"
            raise RequestError(f"row {place}: must be {kind}", field=field.name) from None
    return made


def _bool(word: str) -> bool:
    return _BOOLS[word.lower()]


def _whole(word: str) -> int | float:
    """`3.0` is whole too; what is not is told by who judges values."""
    if len(word) > 40:
        raise ValueError
    return int(word) if word.lstrip("+-").isdigit() else float(word)


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value
