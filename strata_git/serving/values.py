"""Values as they came (JSON's, or a foreign array) made into a column's array, every one of them judged.

`null` is a missing value: NaN in a column of floats, an error in all others. NaN and infinities pass only where the
service says so. No message repeats a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from strata_git.serving.columns import Bounds, Field, NanPolicy
from strata_git.serving.errors import RequestError

_EXACT = 1 << 53
"""Up to here every integer is a float64."""
_WORDS = {"string": "text", "bool": "true or false"}


def column_array(values: Sequence[Any], field: Field, nan: NanPolicy, bounds: Bounds) -> Any:
    """The array (rows, *inner) of a column's values, one a row. Raises RequestError with the first bad row."""
    flat = values if not field.inner else _flattened(values, field, bounds)
    return flat_array(flat, field, nan).reshape((len(values), *field.inner))


def flat_array(flat: Sequence[Any], field: Field, nan: NanPolicy) -> Any:
    """The same of the elements of all rows, one after the other."""
    import numpy as np

    if field.type == "string":
        _require(flat, field, (str,))
        array = np.empty(len(flat), dtype=object)
        array[:] = flat
        return array
    if field.type == "bool":
        _require(flat, field, (bool,))
        return np.array(flat, dtype=bool)
    return judged_floats(_floats(flat, field), field, nan) if field.is_float else _integers(flat, field)


def judged_floats(array: Any, field: Field, nan: NanPolicy, *, name: str = "") -> Any:
    """A float64 array in the column's own type; RequestError for NaN and infinities unless they pass."""
    import numpy as np

    with np.errstate(over="ignore"):
        made = array.astype(field.type, copy=False)
    finite = np.isfinite(made)
    if not finite.all():
        place = int(np.argmin(finite.ravel())) // max(field.width, 1)
        if nan == "refuse":
            raise RequestError(f"row {place}: missing, NaN or out of range", field=name or field.name)
        if (np.isinf(made) & np.isfinite(array)).any():
            raise RequestError(f"row {place}: out of the range of {field.type}", field=name or field.name)
    return made


def converted(array: Any, field: Field, nan: NanPolicy) -> Any:
    """A typed array from outside in the column's own type, where nothing is lost but digits of floats."""
    import numpy as np

    kind = array.dtype.kind
    if field.type == "string" or field.type == "bool":
        if (kind == "O") != (field.type == "string") or (field.type == "bool" and kind != "b"):
            raise RequestError(f"must be of datatype {field.datatype}", field=field.name)
        return array
    if kind not in "iuf" or (kind == "f" and not field.is_float):
        raise RequestError(f"must be of datatype {field.datatype}", field=field.name)
    if field.is_float:
        if kind in "iu" and array.size and (np.abs(array.astype(np.float64)) > _EXACT).any():
            raise RequestError(f"holds integers too large for {field.type}", field=field.name)
        return judged_floats(array, field, nan)
    limits = np.iinfo(field.type)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise RequestError(f"out of the range of {field.type}", field=field.name)
    return array.astype(field.type, copy=False)


def flattened(value: Any, bounds: Bounds, field: str) -> tuple[list[Any], tuple[int, ...]]:
    """Nested lists as one list in row-major order, and their shape. RequestError for ragged or too deep ones."""
    shape: list[int] = []
    level: list[Any] = [value]
    while level and isinstance(level[0], list):
        if len(shape) >= bounds.depth:
            raise RequestError(f"is nested more than {bounds.depth} levels deep", field=field)
        length = len(level[0])
        if not all(isinstance(one, list) and len(one) == length for one in level):
            raise RequestError("is nested unevenly", field=field)
        shape.append(length)
        level = list(chain.from_iterable(level))
        if len(level) > bounds.elements:
            raise RequestError(f"holds more than {bounds.elements} elements", field=field, status=413)
    if list in set(map(type, level)):
        raise RequestError("is nested unevenly", field=field)
    return level, tuple(shape)


def _flattened(values: Sequence[Any], field: Field, bounds: Bounds) -> list[Any]:
    flat: list[Any] = []
    for row, value in enumerate(values):
        level, shape = flattened(value, bounds, field.name)
        if shape != field.inner:
            raise RequestError(f"row {row}: must be of shape {list(field.inner)}", field=field.name)
        flat += level
    return flat


def _require(values: Sequence[Any], field: Field, kinds: tuple[type, ...]) -> None:
    if set(map(type, values)) <= set(kinds):
        return
    place = next(at for at, value in enumerate(values) if type(value) not in kinds)
    missing = "is missing, and " if values[place] is None else ""
    words = _WORDS.get(field.type) or ("a number" if field.is_float else "a whole number")
    raise RequestError(f"row {place // max(field.width, 1)}: {missing}must be {words}", field=field.name)


def _floats(values: Sequence[Any], field: Field) -> Any:
    import numpy as np

    _require(values, field, (float, int, type(None)))
    try:
        return np.array(values, dtype=np.float64)  # None is NaN
    except OverflowError:
        raise RequestError("holds a number out of range", field=field.name) from None


def _integers(values: Sequence[Any], field: Field) -> Any:
    import numpy as np

    _require(values, field, (int, float))
    limits = np.iinfo(field.type)
    for place, value in enumerate(values):
        row = place // max(field.width, 1)
        if isinstance(value, float) and not (value.is_integer() and abs(value) <= _EXACT):
            raise RequestError(f"row {row}: must be a whole number", field=field.name)
        if not limits.min <= value <= limits.max:
            raise RequestError(f"row {row}: out of the range of {field.type}", field=field.name)
    return np.array([int(value) for value in values], dtype=field.type)
