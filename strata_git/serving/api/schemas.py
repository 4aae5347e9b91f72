"""A model's columns as JSON Schema (2020-12), and one valid record of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.serving.columns import Field, NanPolicy, Signature

_FLOAT_MAX = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
_EXAMPLES: Mapping[str, object] = {"string": "text", "bool": False}


def column_schema(field: Field, *, nan: NanPolicy = "refuse", output: bool = False) -> dict[str, Any]:
    """What one row's value of a column may be."""
    schema = _element(field, nullable=output or (field.is_float and nan == "pass"))
    for length in reversed(field.inner):
        schema = {"type": "array", "items": schema, "minItems": length, "maxItems": length}
    words = {"string": "Text", "bool": "True or false"}.get(field.type)
    kind = words or ("A number" if field.is_float else "A whole number")
    return {**schema, "description": f"{kind} ({field.type}{list(field.inner) or ''})."}


def record_schema(fields: Sequence[Field], *, nan: NanPolicy = "refuse", output: bool = False) -> dict[str, Any]:
    """A row as an object: every column, and of a request nothing else."""
    schema: dict[str, Any] = {
        "type": "object",
        "required": [field.name for field in fields],
        "properties": {field.name: column_schema(field, nan=nan, output=output) for field in fields},
    }
    return schema if output else {**schema, "additionalProperties": False}


def blank_record(signature: Signature) -> dict[str, Any]:
    """One valid record: zeros, `false`, the word `text`."""
    return {field.name: _blank(field, field.inner) for field in signature.inputs}


def valid_record(signature: Signature, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The first of `rows` (golden predictions, say) that fits the signature; a blank record where none does."""
    from strata_git.errors import StrataError
    from strata_git.serving.tables import read_table

    for row in rows:
        record = dict(zip(columns, row, strict=False))
        try:
            read_table({"records": [record]}, signature)
        except StrataError:
            continue
        return {name: record[name] for name in signature.names}
    return blank_record(signature)


def tensor_example(signature: Signature, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record as tensors of the Open Inference Protocol."""
    return [
        {"name": field.name, "datatype": field.datatype, "shape": [1, *field.inner], "data": _flat(record[field.name])}
        for field in signature.inputs
    ]


def _element(field: Field, *, nullable: bool) -> dict[str, Any]:
    schema: dict[str, Any]
    if field.type == "string":
        schema = {"type": "string"}
    elif field.type == "bool":
        schema = {"type": "boolean"}
    elif field.is_float:
        most = _FLOAT_MAX[field.type]
        schema = {"type": "number", "minimum": -most, "maximum": most}
    else:
        bits = int(field.type.lstrip("uint"))
        low, high = (0, 2**bits - 1) if field.type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        schema = {"type": "integer", "minimum": low, "maximum": high}
    return {**schema, "type": [schema["type"], "null"]} if nullable else schema


def _blank(field: Field, inner: Sequence[int]) -> Any:
    if inner:
        return [_blank(field, inner[1:]) for _ in range(inner[0])]
    return _EXAMPLES.get(field.type, 0.0 if field.is_float else 0)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [one for part in value for one in _flat(part)]
    return [value]
