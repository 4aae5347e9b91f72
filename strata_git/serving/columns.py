"""What goes into a model and what comes out: the columns of its signature (metadata.yaml), and tables of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Any, Literal

from strata_git.errors import StrataError
from strata_git.serving.errors import shown

NanPolicy = Literal["refuse", "pass"]

DATATYPES: Mapping[str, str] = MappingProxyType({
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uint8": "UINT8",
    "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "float16": "FP16", "float32": "FP32",
    "float64": "FP64", "string": "BYTES",
})  # fmt: skip
"""Type of a column (as NumPy calls it) -> datatype of the protocol."""

_ALIASES = {
    "boolean": "bool", "int": "int64", "integer": "int64", "long": "int64", "half": "float16", "float": "float64",
    "double": "float64", "number": "float64", "str": "string", "text": "string", "object": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One column. `type` is a key of DATATYPES, `inner` the shape of one row's value: `()` for a single one."""

    name: str
    type: str
    inner: tuple[int, ...] = ()

    @property
    def datatype(self) -> str:
        """The protocol's word for the type."""
        return DATATYPES[self.type]

    @property
    def width(self) -> int:
        """Elements in one row."""
        return prod(self.inner)

    @property
    def is_number(self) -> bool:
        """Whether a matrix can hold it beside others."""
        return self.type not in ("string", "bool")

    @property
    def is_float(self) -> bool:
        """Whether there are values that are no numbers."""
        return self.type.startswith("float")


@dataclass(frozen=True, slots=True)
class Signature:
    """A model's columns, in their order."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The inputs' names."""
    is_matrix: bool = field(init=False, repr=False, compare=False)
    """Whether all inputs are numbers, so that one matrix can hold them."""
    width: int = field(init=False, repr=False, compare=False)
    """Elements in one row of all inputs."""
    is_float64: bool = field(init=False, repr=False, compare=False)
    """Whether all inputs are single float64."""

    def __post_init__(self) -> None:
        """What every request asks is found out once."""
        derived = {
            "names": tuple(one.name for one in self.inputs),
            "is_matrix": all(one.is_number for one in self.inputs),
            "width": sum(one.width for one in self.inputs),
            "is_float64": all(one.type == "float64" and not one.inner for one in self.inputs),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may hold: rows, elements in all its columns, levels of lists, bytes of its body."""

    rows: int = 10_000
    elements: int = 10_000_000
    depth: int = 8
    body_bytes: int = 8 << 20


class Table:
    """Rows as arrays, column by column in the order of the signature; numbers may be one matrix."""

    __slots__ = ("_arrays", "_matrix", "fields", "rows")

    def __init__(
        self, fields: Sequence[Field], rows: int, arrays: Sequence[Any] | None = None, matrix: Any = None
    ) -> None:
        self.fields = tuple(fields)
        self.rows = rows
        self._arrays = arrays
        self._matrix = matrix

    @property
    def arrays(self) -> Sequence[Any]:
        """One array a column, of shape (rows, *inner)."""
        if self._arrays is None:
            self._arrays = [self._matrix[:, place] for place in range(len(self.fields))]
        return self._arrays

    @property
    def columns(self) -> dict[str, Any]:
        """Name -> array."""
        return dict(zip((field.name for field in self.fields), self.arrays, strict=True))

    def matrix(self, dtype: Any) -> Any:
        """All columns side by side as one array (rows, elements of a row); they must be numbers."""
        import numpy as np

        if self._matrix is None:
            self._matrix = np.column_stack([array.reshape(self.rows, -1) for array in self.arrays])
        return self._matrix.astype(dtype, copy=False)


def blank_table(signature: Signature) -> Table:
    """One row of zeros, `false` and empty text."""
    import numpy as np

    def blank(field: Field) -> Any:
        dtype = {"string": object}.get(field.type, field.type)
        return np.full((1, *field.inner), "" if field.type == "string" else 0, dtype=dtype)

    return Table(signature.inputs, 1, [blank(field) for field in signature.inputs])


def signature_of(metadata: Mapping[str, object]) -> Signature:
    """The columns in a model's metadata.yaml.

    Raises StrataError where there are none, where a name comes twice, or for a type or shape that cannot be served.
    """
    said = metadata.get("signature")
    sides = said if isinstance(said, Mapping) else {}
    inputs, outputs = (_fields(sides.get(side), side) for side in ("inputs", "outputs"))
    return Signature(inputs, outputs)


def signature_json(signature: Signature) -> dict[str, object]:
    """The columns as JSON, as `signature_of` reads them under `signature`."""
    sides = {"inputs": signature.inputs, "outputs": signature.outputs}
    return {
        side: [{"name": one.name, "type": one.type, "shape": [None, *one.inner]} for one in fields]
        for side, fields in sides.items()
    }


def _fields(said: object, side: str) -> tuple[Field, ...]:
    rows = said if isinstance(said, list | tuple) else ()
    fields = tuple(_field(row, f"signature.{side}.{place}") for place, row in enumerate(rows))
    if not fields:
        raise StrataError(
            f"The model's signature names no {side}: no request could be checked.",
            hint="Make a version whose metadata.yaml has signature.inputs and signature.outputs.",
        )
    names = [field.name for field in fields]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise StrataError(f"signature.{side} names the column '{shown(twice)}' twice.")
    return fields


def _field(row: object, place: str) -> Field:
    said = row if isinstance(row, Mapping) else {}
    name, kind, shape = said.get("name"), said.get("type"), said.get("shape")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise StrataError(f"{place} has no name or no type.")
    known = _ALIASES.get(kind.casefold(), kind.casefold())
    if known not in DATATYPES:
        raise StrataError(
            f"{place}: columns of type '{shown(kind)}' cannot be served.", hint=f"Known types: {', '.join(DATATYPES)}."
        )
    inner = list(shape)[1:] if isinstance(shape, list | tuple) else []
    if not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in inner):
        raise StrataError(f"{place}: only the first dimension of a column may be of any length.")
    return Field(name, known, tuple(inner))
