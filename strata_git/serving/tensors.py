"""Tensors of the Open Inference Protocol: datatypes, shapes and bytes, and how they become the columns of a model.

A column is a tensor of its name with shape [rows] or [rows, 1] ([rows, *inner] where a row's value is an array). Where
all columns are numbers, one tensor of any name with shape [rows, columns] may stand for all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from strata_git.serving.columns import Bounds, Field, NanPolicy, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError, shown
from strata_git.serving.values import converted, flat_array

DTYPES: Mapping[str, str] = MappingProxyType({
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
})  # fmt: skip
"""Datatype -> NumPy's dtype of its bytes on the wire; BYTES is no such type."""
_KINDS = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "string"} | {
    name: name.lower() for name in DTYPES if "INT" in name
}
_WIRE: dict[str, Any] = {}
"""Datatype -> dtype, as they are met: NumPy is not loaded before it is needed."""
_LENGTH = struct.Struct("<I")
_LARGEST = 1 << 40
_WHOLE = Bounds()


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array. Of BYTES the elements are text."""

    name: str
    datatype: str
    array: Any

    @property
    def shape(self) -> list[int]:
        """Its dimensions."""
        return [int(one) for one in self.array.shape]


def from_raw(name: str, datatype: str, shape: Sequence[int], data: bytes, bounds: Bounds = _WHOLE) -> Tensor:
    """A tensor from its bytes on the wire. Raises RequestError where they are not as many as the shape says."""
    import numpy as np

    count = _count(name, datatype, shape, bounds)
    if datatype == "BYTES":
        return Tensor(name, datatype, _texts(_split_bytes(name, data, count), name).reshape(shape))
    if datatype not in _WIRE:
        _WIRE[datatype] = np.dtype(DTYPES[datatype])
    dtype = _WIRE[datatype]
    if len(data) != count * dtype.itemsize:
        raise RequestError(f"has {len(data)} bytes for {count} elements of {datatype}", field=name)
    if datatype == "BOOL" and data.strip(b"\0\1"):
        raise RequestError("holds bytes that are neither 0 nor 1", field=name)
    return Tensor(name, datatype, np.frombuffer(data, dtype=dtype).reshape(shape))


def from_values(
    name: str, datatype: str, shape: Sequence[int], values: Sequence[Any], bounds: Bounds = _WHOLE
) -> Tensor:
    """A tensor from its elements in row-major order, each of JSON's or protobuf's type; bytes are UTF-8."""
    import numpy as np

    count = _count(name, datatype, shape, bounds)
    if len(values) != count:
        raise RequestError(f"has {len(values)} elements, its shape says {count}", field=name)
    if datatype == "BYTES" and any(isinstance(one, bytes) for one in values):
        return Tensor(name, datatype, _texts(values, name).reshape(shape))
    if not count:
        return Tensor(name, datatype, np.empty(shape, dtype=DTYPES.get(datatype, "O")))
    # what is not finite is judged where the tensor becomes a column
    field = Field(name, _KINDS[datatype], tuple(shape[1:]))
    return Tensor(name, datatype, flat_array(values, field, "pass").reshape(shape))


def to_raw(tensor: Tensor) -> bytes:
    """The bytes of a tensor on the wire: little-endian, row-major, texts behind their length."""
    if tensor.datatype == "BYTES":
        texts = [str(one).encode() for one in tensor.array.ravel().tolist()]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    raw: bytes = tensor.array.astype(DTYPES[tensor.datatype], copy=False).tobytes()
    return raw


def to_table(
    tensors: Sequence[Tensor], signature: Signature, *, nan: NanPolicy = "refuse", bounds: Bounds = _WHOLE
) -> Table:
    """The rows that tensors hold. Raises RequestError with the tensor that is missing, unknown or of a wrong kind."""
    named = {tensor.name: tensor for tensor in tensors}
    if len(named) < len(tensors):
        raise RequestError("The request names an input twice.")
    if _stands_for_all(tensors, signature):
        return _of_matrix(tensors[0], signature, nan, bounds)
    known = set(signature.names)
    if strange := next((name for name in named if name not in known), None):
        raise RequestError("is not an input of this model", field=strange)
    if absent := next((name for name in signature.names if name not in named), None):
        raise RequestError("is missing", field=absent)
    if (table := _of_floats(named, signature, bounds)) is not None:
        return table
    arrays = [_column(named[field.name], field, nan) for field in signature.inputs]
    rows = len(arrays[0])
    if any(len(array) != rows for array in arrays):
        raise RequestError("The inputs have different numbers of rows.")
    _judge_rows(rows, signature.inputs[0].name, bounds)
    return Table(signature.inputs, rows, arrays)


def of_outputs(outputs: Mapping[str, Any], fields: Sequence[Field]) -> list[Tensor]:
    """A model's answers as tensors: those of `fields` with their datatypes, others by their arrays' own."""
    known = {field.name: field.datatype for field in fields}
    return [Tensor(name, known.get(name) or datatype_of(array), array) for name, array in outputs.items()]


def datatype_of(array: Any) -> str:
    """The protocol's word for an array's type; PredictionError where it has none."""
    if array.dtype.kind in "OU":
        return "BYTES"
    for name, dtype in DTYPES.items():
        if array.dtype == dtype:
            return name
    raise PredictionError(f"The model answers with {array.dtype}, which the protocol cannot carry.")


def _stands_for_all(tensors: Sequence[Tensor], signature: Signature) -> bool:
    if len(tensors) != 1 or not signature.is_matrix:
        return False
    return len(signature.inputs) > 1 or tensors[0].name not in signature.names


def _of_matrix(tensor: Tensor, signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    if tensor.array.ndim != 2 or tensor.array.shape[1] != signature.width:
        if tensor.name in signature.names:
            absent = next(name for name in signature.names if name != tensor.name)
            raise RequestError("is missing", field=absent)
        raise RequestError(f"must be of shape [rows, {signature.width}]", field=tensor.name)
    rows = tensor.array.shape[0]
    _judge_rows(rows, tensor.name, bounds)
    if signature.is_float64 and tensor.array.dtype.kind == "f":
        import numpy as np

        matrix = tensor.array.astype(np.float64, copy=False)
        if nan == "pass" or np.isfinite(matrix).all():
            return Table(signature.inputs, rows, matrix=matrix)
    arrays, at = [], 0
    for field in signature.inputs:
        part = tensor.array[:, at : at + field.width].reshape((rows, *field.inner))
        arrays.append(converted(part, field, nan))
        at += field.width
    return Table(signature.inputs, rows, arrays)


def _of_floats(named: Mapping[str, Tensor], signature: Signature, bounds: Bounds) -> Table | None:
    """Columns of sound floats as one matrix, judged at once; None where they have to be looked at one by one."""
    if not signature.is_float64:
        return None
    import numpy as np

    arrays = [named[name].array for name in signature.names]
    shape = arrays[0].shape
    if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)) or not 0 < shape[0] <= bounds.rows:
        return None
    if any(one.shape != shape or one.dtype.kind != "f" for one in arrays):
        return None
    matrix = np.concatenate([one.reshape(-1, 1) for one in arrays], axis=1, dtype=np.float64)
    return Table(signature.inputs, shape[0], matrix=matrix) if np.isfinite(matrix).all() else None


def _column(tensor: Tensor, field: Field, nan: NanPolicy) -> Any:
    array = tensor.array
    if array.ndim == 0 or array.shape[1:] not in (field.inner, (*field.inner, 1)):
        raise RequestError(f"must be of shape {['rows', *field.inner]}".replace("'", ""), field=tensor.name)
    return converted(array.reshape((array.shape[0], *field.inner)), field, nan)


def _judge_rows(rows: int, field: str, bounds: Bounds) -> None:
    if not rows:
        raise RequestError("has no rows", field=field)
    if rows > bounds.rows:
        raise RequestError(f"has more than {bounds.rows} rows", field=field, status=413)


def _count(name: str, datatype: str, shape: Sequence[int], bounds: Bounds) -> int:
    if datatype not in _KINDS:
        raise RequestError(f"'{shown(datatype)}' is no datatype that is taken here", field=name)
    if len(shape) > bounds.depth or any(one < 0 or one > _LARGEST for one in shape):
        raise RequestError("has a shape that is not taken here", field=name)
    count = 1
    for one in shape:
        count *= one
    if count > bounds.elements:
        raise RequestError(f"holds more than {bounds.elements} elements", field=name, status=413)
    return count


def _split_bytes(name: str, data: bytes, count: int) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    while at + _LENGTH.size <= len(data) and len(parts) < count:
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            break
        parts.append(data[at : at + length])
        at += length
    if len(parts) != count or at != len(data):
        raise RequestError(f"does not hold {count} texts, each behind its length", field=name)
    return parts


def _texts(values: Sequence[Any], name: str) -> Any:
    import numpy as np

    array = np.empty(len(values), dtype=object)
    try:
        array[:] = [one.decode() if isinstance(one, bytes) else str(one) for one in values]
    except UnicodeDecodeError:
        raise RequestError("holds bytes that are no UTF-8 text", field=name) from None
    return array
