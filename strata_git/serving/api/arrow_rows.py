"""Tables as an Arrow IPC stream. Each batch is looked at before it is decoded: no dictionaries, nothing compressed.

Compressed buffers name their own length, and a dictionary is decoded for every row: a small body could become any
number of bytes. Whoever sends such columns is told to send them plain.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.columns import Bounds, Field, NanPolicy, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError
from strata_git.serving.values import column_array, converted


def read_arrow(body: bytes, signature: Signature, *, nan: NanPolicy = "refuse", bounds: Bounds | None = None) -> Table:
    """The rows of an Arrow stream. Raises RequestError: 415 where pyarrow is not installed, 400 for what is none."""
    bounds = bounds or Bounds()
    pyarrow = load_pyarrow()
    try:
        batches = _batches(pyarrow, body, bounds)
        table = pyarrow.Table.from_batches(batches)
        names = table.column_names
    except StrataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, struct.error, NotImplementedError):
        raise RequestError("The body is no Arrow stream.", status=400) from None
    if len(set(names)) < len(names):
        raise RequestError("The schema names a column twice.")
    if absent := next((name for name in signature.names if name not in names), None):
        raise RequestError("is missing", field=absent)
    if strange := next((name for name in names if name not in signature.names), None):
        raise RequestError("is not a column of this model", field=strange)
    arrays = [_array(pyarrow, table[field.name], field, nan, bounds) for field in signature.inputs]
    return Table(signature.inputs, table.num_rows, arrays)


def write_arrow(outputs: Mapping[str, Any]) -> bytes:
    """The answers as an Arrow stream; a column of arrays is one of lists. Raises PredictionError."""
    pyarrow = load_pyarrow()
    try:
        columns = {name: pyarrow.array(array if array.ndim == 1 else array.tolist()) for name, array in outputs.items()}
        batch = pyarrow.record_batch(columns)
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
    except (pyarrow.ArrowException, ValueError, TypeError):
        raise PredictionError("The model's answer cannot be said in Arrow.") from None
    made: bytes = sink.getvalue().to_pybytes()
    return made


@cache
def warm_up() -> None:
    """Have loaded what reading and writing load when they first need it: pyarrow looks for pandas at its first array.
    Where there is no pyarrow, whoever reads or writes says so."""
    import numpy as np

    column = Field("first", "float64")
    with suppress(RequestError):
        read_arrow(write_arrow({column.name: np.zeros(1)}), Signature((column,), ()))


def load_pyarrow() -> Any:
    """pyarrow with all that is used of it. Raises RequestError (415) where it is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.ipc as _ipc  # noqa: F401 - it is not loaded with the package
    except ImportError:
        raise RequestError(
            "Arrow is not taken here: the service has no pyarrow installed. Send application/json or text/csv.",
            status=415,
        ) from None
    return pa


def _batches(pyarrow: Any, body: bytes, bounds: Bounds) -> list[Any]:
    """The stream's batches, judged before and after they are decoded."""
    _judge_messages(pyarrow, body, bounds)
    batches = []
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(body)) as reader:
        _judge_schema(pyarrow, reader.schema)
        for batch in reader:
            batch.validate(full=True)
            batches.append(batch)
    if not sum(batch.num_rows for batch in batches):
        raise RequestError("The body has no rows.")
    return batches


def _judge_messages(pyarrow: Any, body: bytes, bounds: Bounds) -> None:
    """What messages say of themselves. To decode them one by one is not safe (any may be taken for a schema)."""
    reader = pyarrow.ipc.MessageReader.open_stream(pyarrow.py_buffer(body))
    rows, first = 0, True
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            break
        if first != (message.type == "schema"):
            raise ValueError("a stream begins with its schema, and has one")
        if first:
            first = False
            continue
        if message.type != "record batch":
            raise RequestError("must be plain: dictionaries are not taken", field="schema", status=415)
        length, compressed = _announced(message.metadata.to_pybytes())
        if compressed:
            raise RequestError("must be plain: compressed buffers are not taken", field="schema", status=415)
        rows += length
        if not 0 <= length <= rows <= bounds.rows:
            raise RequestError(f"The body has more than {bounds.rows} rows.", status=413)
    if first:
        raise ValueError("a stream without a schema")


def _judge_schema(pyarrow: Any, schema: Any) -> None:
    kinds = pyarrow.types
    for field in schema:
        kind = field.type
        while kinds.is_fixed_size_list(kind):
            kind = kind.value_type
        plain = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind)
        if not (plain or kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_null(kind)):
            raise RequestError("is of a type that is not taken here", field=field.name, status=415)


def _array(pyarrow: Any, column: Any, field: Field, nan: NanPolicy, bounds: Bounds) -> Any:
    kind = column.type
    if _width(pyarrow, kind) != field.width:
        raise RequestError(f"must be of shape {['rows', *field.inner]}".replace("'", ""), field=field.name)
    if field.inner or field.type in ("string", "bool") or column.null_count or pyarrow.types.is_fixed_size_list(kind):
        return column_array(column.to_pylist(), field, nan, bounds)
    return converted(column.to_numpy(), field, nan)


def _width(pyarrow: Any, kind: Any) -> int:
    """Values in one row, as the type says; of nulls in lists there may be any number in no bytes at all."""
    width = 1
    while pyarrow.types.is_fixed_size_list(kind):
        width *= kind.list_size or 1
        kind = kind.value_type
    return width


def _announced(metadata: bytes) -> tuple[int, bool]:
    """Rows of a record batch and whether its buffers are compressed, from the message's flatbuffer (Arrow columnar
    format, Message.fbs): table Message {version, header type, header}, table RecordBatch {length, nodes, buffers,
    compression}."""
    (root,) = struct.unpack_from("<I", metadata, 0)
    header = _slot(metadata, root, 2)
    if not header:
        raise ValueError("a message without a header")
    (offset,) = struct.unpack_from("<I", metadata, header)
    batch = header + offset
    length = _slot(metadata, batch, 0)
    rows = struct.unpack_from("<q", metadata, length)[0] if length else 0
    return int(rows), bool(_slot(metadata, batch, 3))


def _slot(data: bytes, table: int, number: int) -> int:
    """Where the flatbuffer table at `table` has its field of that number; 0 where it has none."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable = table - back
    if vtable < 0:
        raise ValueError("a table that points out of the message")
    (size,) = struct.unpack_from("<H", data, vtable)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + place)
    return table + int(offset) if offset else 0
