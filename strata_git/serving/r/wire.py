"""Rows as R is asked for them, and its answers as arrays: the protocol's JSON, with the limits of R's own types."""

from __future__ import annotations

from typing import Any

from strata_git.serving.columns import Field, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.tables import plain
from strata_git.serving.values import flat_array

_WHOLE = {"int8", "int16", "int32", "uint8", "uint16"}
_KINDS = {"string": "character", "bool": "logical"} | dict.fromkeys(_WHOLE, "integer")
_EXACT = 1 << 53
_TOLD = 300


def r_type(field: Field) -> str:
    """How R holds a column: `character`, `logical`, `integer`, or `numeric` (its 64-bit float) for all else."""
    return _KINDS.get(field.type, "numeric")


def field_facts(field: Field) -> dict[str, Any]:
    """What server.R is told of a column."""
    return {"name": field.name, "kind": r_type(field), "datatype": field.datatype, "inner": list(field.inner)}


def write_request(table: Table) -> bytes:
    """The body that asks for predictions. RequestError for values that R cannot hold."""
    import orjson

    inputs = [
        {"name": field.name, "datatype": field.datatype, "shape": [int(one) for one in array.shape],
         "data": plain(_judged(array, field).ravel())}
        for field, array in zip(table.fields, table.arrays, strict=True)
    ]  # fmt: skip
    try:
        return orjson.dumps({"inputs": inputs})
    except TypeError:  # half of a surrogate pair
        raise RequestError("The request holds text that is not Unicode.") from None


def read_answer(status: int, data: bytes, signature: Signature, rows: int) -> dict[str, Any]:
    """The outputs in the types of the signature. Raises RequestError for rows that the model refused (422), Unanswered
    (504) where it took too long, PredictionError for all else that is no such answer."""
    import orjson

    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise PredictionError("The model's answer cannot be read.") from None
    if status != 200:
        _refuse(status, said)
    outputs = {one["name"]: one for one in said["outputs"]}
    return {field.name: _array(outputs[field.name], field, rows) for field in signature.outputs}


def _refuse(status: int, said: Any) -> None:
    message = str(said.get("error", ""))[:_TOLD]
    if status == 422:
        raise RequestError(message, field=str(said.get("field", "")))
    if status == 504:
        raise Unanswered(message, status=504)
    raise PredictionError(message)


def _judged(array: Any, field: Field) -> Any:
    """A column, if R can hold it: integers to 2^53, whole columns of infinities not at all, text without NUL."""
    import numpy as np

    if field.type == "string":
        if any("\0" in one for one in array.ravel().tolist()):
            raise RequestError("holds a NUL character, which text in R cannot", field=field.name)
    elif field.is_float and np.isinf(array).any():
        raise RequestError("holds an infinite value, which does not reach a model of R", field=field.name)
    elif field.type in ("int64", "uint64") and array.size and max(int(array.max()), -int(array.min())) > _EXACT:
        raise RequestError("holds an integer beyond 2^53, which R cannot hold exactly", field=field.name)
    elif field.type == "int32" and array.size and int(array.min()) == np.iinfo("int32").min:
        raise RequestError("holds the integer that R takes for a missing value", field=field.name)
    return array


def _array(said: Any, field: Field, rows: int) -> Any:
    flat = said["data"]
    if len(flat) != rows * field.width:
        raise PredictionError(f"The model's answer '{field.name}' has not the shape that its signature says.")
    try:
        return flat_array(flat, field, "pass").reshape((rows, *field.inner))
    except RequestError as error:
        raise PredictionError(f"The model's answer '{field.name}' is not {field.type}: {error.message}") from None
