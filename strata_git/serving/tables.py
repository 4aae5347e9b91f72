"""Tables in JSON, as people write them, and answers in the same manner.

Taken is one of `{"records": [{column: value}]}`, `{"columns": {column: [value]}}` and
`{"split": {"columns": [...], "data": [[...]]}}`; MLflow's words for the same (`dataframe_records`, `inputs`,
`dataframe_split`) and `instances` mean the same. Every input of the signature must be there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from strata_git.serving.columns import Bounds, NanPolicy, Signature, Table
from strata_git.serving.errors import RequestError
from strata_git.serving.values import column_array

_WHOLE = Bounds()


def parse_body(body: bytes, bounds: Bounds = _WHOLE) -> Any:
    """The JSON value of a request's body. RequestError: 413 for too many bytes, 400 for what is no JSON."""
    import orjson

    if len(body) > bounds.body_bytes:
        raise RequestError(f"The body has more than {bounds.body_bytes} bytes.", status=413)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"The body is no JSON (line {error.lineno}, column {error.colno}).", status=400) from None


def read_table(value: Any, signature: Signature, *, nan: NanPolicy = "refuse", bounds: Bounds = _WHOLE) -> Table:
    """The rows that a request holds. Raises RequestError with the field that is missing, unknown or of a wrong type."""
    if not isinstance(value, dict):
        raise RequestError("The request must be an object.", status=400)
    given = [key for key in _READERS if key in value]
    if len(given) != 1 or len(value) != 1:
        strange = next((key for key in value if key not in _READERS), None)
        if strange is not None:
            raise RequestError("is not known here", field=strange)
        raise RequestError("The request must hold exactly one of: records, columns, split.")
    return _READERS[given[0]](value[given[0]], given[0], signature, nan, bounds)


def _records(value: Any, key: str, signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    rows = _rows(value, key, bounds)
    names = signature.names
    width = len(names)
    wanted = set(names)
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise RequestError("must be an object of columns and values", field=f"{key}.{place}")
        if len(row) != width or not wanted.issuperset(row):
            _require_names(row, signature, f"{key}.{place}")
    pick: Callable[[Any], Any] = itemgetter(*names) if width > 1 else lambda row: (row[names[0]],)
    return _of_rows([pick(row) for row in rows], signature, nan, bounds)


def _split(value: Any, key: str, signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        raise RequestError("must hold columns and data", field=key)
    columns = value["columns"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise RequestError("must be a list of names", field=f"{key}.columns")
    if len(set(columns)) < len(columns):
        raise RequestError("names a column twice", field=f"{key}.columns")
    _require_names(columns, signature, f"{key}.columns")
    rows = _rows(value["data"], f"{key}.data", bounds)
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise RequestError(f"must be a list of {len(columns)} values", field=f"{key}.data.{place}")
    if tuple(columns) != signature.names:
        order = [columns.index(name) for name in signature.names]
        rows = [[row[place] for place in order] for row in rows]
    return _of_rows(rows, signature, nan, bounds)


def _columns(value: Any, key: str, signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    if not isinstance(value, dict):
        raise RequestError("must be an object of columns and lists of values", field=key)
    _require_names(value, signature, key)
    lists = [_rows(value[name], f"{key}.{name}", bounds) for name in signature.names]
    if len(set(map(len, lists))) > 1:
        raise RequestError("has columns of different lengths", field=key)
    arrays = [column_array(values, field, nan, bounds) for values, field in zip(lists, signature.inputs, strict=True)]
    return Table(signature.inputs, len(lists[0]), arrays)


_READERS: Mapping[str, Callable[[Any, str, Signature, NanPolicy, Bounds], Table]] = {
    "records": _records, "dataframe_records": _records, "instances": _records, "columns": _columns, "inputs": _columns,
    "split": _split, "dataframe_split": _split,
}  # fmt: skip


def _rows(value: Any, field: str, bounds: Bounds) -> list[Any]:
    if not isinstance(value, list):
        raise RequestError("must be a list", field=field)
    if not value:
        raise RequestError("has no rows", field=field)
    if len(value) > bounds.rows:
        raise RequestError(f"has more than {bounds.rows} rows", field=field, status=413)
    return value


def _require_names(given: Any, signature: Signature, field: str) -> None:
    if absent := next((name for name in signature.names if name not in given), None):
        raise RequestError("is missing", field=f"{field}.{absent}")
    known = set(signature.names)
    if strange := next((name for name in given if name not in known), None):
        raise RequestError("is not a column of this model", field=f"{field}.{strange}")


def _of_rows(rows: Sequence[Sequence[Any]], signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    """A table from rows in the signature's order; plain numbers become one matrix at once."""
    if signature.is_float64 and set(map(type, chain.from_iterable(rows))) <= {float, int}:
        import numpy as np

        matrix = np.array(rows, dtype=np.float64)
        if nan == "pass" or np.isfinite(matrix).all():
            return Table(signature.inputs, len(rows), matrix=matrix)
    columns = list(zip(*rows, strict=True))
    arrays = [column_array(values, field, nan, bounds) for values, field in zip(columns, signature.inputs, strict=True)]
    return Table(signature.inputs, len(rows), arrays)


def prediction_records(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers row by row, as JSON values; what is not finite is null."""
    columns = {name: plain(array) for name, array in outputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def prediction_columns(outputs: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The answers column by column, as JSON values; what is not finite is null."""
    return {name: plain(array) for name, array in outputs.items()}


def plain(array: Any) -> list[Any]:
    """An array as (nested) lists of JSON values: None in place of NaN and infinities, which JSON does not have."""
    import numpy as np

    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = array.astype(object)
        array[~np.isfinite(array.astype(float))] = None
    made: list[Any] = array.tolist()
    return made
