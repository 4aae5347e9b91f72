"""Rows as plain dicts for code that people write, and what such code answers as arrays of the signature's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.errors import printable
from strata_git.serving.backends.local import settled
from strata_git.serving.columns import Field, Signature, Table
from strata_git.serving.errors import PredictionError
from strata_git.serving.tables import plain


def records_of(table: Table) -> list[dict[str, Any]]:
    """One dict a row, column -> plain value; a missing number is None."""
    names = [field.name for field in table.fields]
    return [dict(zip(names, row, strict=True)) for row in zip(*(plain(array) for array in table.arrays), strict=True)]


def answers_of(answer: Any, signature: Signature, rows: int) -> dict[str, Any]:
    """Output -> array (rows, ...).

    `answer` is one value a row, or one dict a row, or a dict (or data frame) of one column an output, or an array whose
    columns are the outputs. Raises PredictionError where it is none of these, or has not one answer a row.
    """
    if hasattr(answer, "to_dict") and hasattr(answer, "columns"):  # a data frame, of whichever library
        answer = {str(name): answer[name] for name in answer.columns}
    if isinstance(answer, Mapping):
        return settled(_named(answer, signature, rows), signature, rows)
    return settled(_positional(answer, signature, rows), signature, rows)


def _named(answer: Mapping[Any, Any], signature: Signature, rows: int) -> dict[str, Any]:
    fields = {field.name: field for field in signature.outputs}
    made = {}
    for name, values in answer.items():
        if not isinstance(name, str):
            raise PredictionError("answers with a dict whose keys are no names of outputs")
        made[name] = _column(values, fields.get(name), rows)
    _require(made, signature)
    return made


def _positional(answer: Any, signature: Signature, rows: int) -> dict[str, Any]:
    import numpy as np

    if isinstance(answer, str | bytes) or not (isinstance(answer, Sequence) or hasattr(answer, "__array__")):
        raise PredictionError(f"answers with {type(answer).__name__}, not with one value or dict a row")
    if len(answer) != rows:
        raise PredictionError(f"answers {len(answer)} rows for {rows}")
    if rows and isinstance(answer[0], Mapping):
        if not all(isinstance(row, Mapping) and row.keys() == answer[0].keys() for row in answer):
            raise PredictionError("answers with dicts of different keys")
        return _named({name: [row[name] for row in answer] for name in answer[0]}, signature, rows)
    if len(signature.outputs) == 1:
        field = signature.outputs[0]
        return {field.name: _column(answer, field, rows)}
    try:
        array = np.asarray(answer)
    except ValueError:  # rows of different lengths
        raise PredictionError("answers with rows of different lengths") from None
    if array.ndim != 2 or array.shape[1] != len(signature.outputs):
        raise PredictionError(f"answers with one value a row where there are {len(signature.outputs)} outputs")
    columns = zip(*answer, strict=True) if array.dtype.kind in "OUS" else array.T
    return {
        field.name: _column(list(column), field, rows) for field, column in zip(signature.outputs, columns, strict=True)
    }


def _column(values: Any, field: Field | None, rows: int) -> Any:
    """An array of one value a row; None is NaN where the output is a float."""
    import numpy as np

    if field is not None and field.is_float and isinstance(values, Sequence):
        values = [np.nan if one is None else one for one in values]
    try:
        array = np.asarray(values)
    except ValueError:
        raise PredictionError("answers with values of different shapes") from None
    if array.shape[:1] != (rows,):
        raise PredictionError(f"answers {array.shape[0] if array.ndim else 1} rows for {rows}")
    if array.dtype.kind in "US":
        array = array.astype(object)
    if field is not None and field.inner == () and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return array


def _require(made: Mapping[str, Any], signature: Signature) -> None:
    if absent := next((field.name for field in signature.outputs if field.name not in made), None):
        raise PredictionError(f"answers without '{printable(absent)}'")
