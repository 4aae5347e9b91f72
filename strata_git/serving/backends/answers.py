"""What goes to a model elsewhere and what comes back, as the tables and arrays of here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.serving.columns import Signature, Table
from strata_git.serving.errors import PredictionError
from strata_git.serving.tensors import Tensor

DIGEST = "strata-digest"
"""Parameter of every answer: digest of the version that gave it."""
ALL_OUTPUTS = "strata-all-outputs"
"""Parameter of a request that wants every answer, not only those of the signature."""
MATRIX = "rows"
"""Name of the one tensor that stands for all columns."""


def tensors_of(table: Table, signature: Signature) -> list[Tensor]:
    """A table's columns as tensors; where all are float64, one matrix stands for them."""
    if signature.is_float64 and len(signature.inputs) > 1:
        return [Tensor(MATRIX, "FP64", table.matrix("float64"))]
    return [Tensor(field.name, field.datatype, array) for field, array in zip(table.fields, table.arrays, strict=True)]


def arrays_of(tensors: Sequence[Tensor], signature: Signature, rows: int) -> Mapping[str, Any]:
    """A foreign answer's arrays by name: one entry a row, the signature's outputs first and in their types.

    Raises PredictionError for an answer that is not what the signature says.
    """
    found = {tensor.name: tensor.array for tensor in tensors}
    made: dict[str, Any] = {}
    for field in signature.outputs:
        array = found.pop(field.name, None)
        if array is None or array.size != rows * field.width:
            raise PredictionError(f"The model's answer '{field.name}' is missing or not one value a row.")
        if (array.dtype.kind in "OUS") != (field.type == "string") or (array.dtype.kind == "f" and not field.is_float):
            raise PredictionError(f"The model answers with {array.dtype} where '{field.name}' is {field.type}.")
        kind = object if field.type == "string" else field.type
        made[field.name] = array.astype(kind, copy=False).reshape((rows, *field.inner))
    for name, array in found.items():
        if array.shape[:1] == (rows,):
            made[name] = array
    return made
