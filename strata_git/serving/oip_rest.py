"""The protocol's requests and answers over HTTP: JSON, and behind it the bytes of tensors (binary tensor extension).

With the extension the header `Inference-Header-Content-Length` tells where the JSON ends; the bytes of every input that
has `binary_data_size` follow in order. Answers are bytes where the request asked for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strata_git.serving.columns import Bounds, Field
from strata_git.serving.errors import RequestError
from strata_git.serving.tables import parse_body, plain
from strata_git.serving.tensors import Tensor, from_raw, from_values, of_outputs, to_raw
from strata_git.serving.values import flattened

LENGTH_HEADER = "Inference-Header-Content-Length"
_WHOLE = Bounds()


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What is asked: tensors, the outputs wanted (none named: all of the signature) and which of them as bytes."""

    tensors: tuple[Tensor, ...]
    id: str = ""
    outputs: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()
    all_binary: bool = False


def read_request(body: bytes, header_length: str | None = None, bounds: Bounds = _WHOLE) -> InferRequest:
    """A request's body; `header_length` is the value of LENGTH_HEADER. Raises RequestError."""
    if len(body) > bounds.body_bytes:
        raise RequestError(f"The body has more than {bounds.body_bytes} bytes.", status=413)
    length = _length(header_length, len(body))
    value = parse_body(body[:length], bounds)
    if not isinstance(value, dict) or not isinstance(value.get("inputs"), list):
        raise RequestError("must be a list of tensors", field="inputs", status=400)
    rest, tensors = body[length:], []
    for place, said in enumerate(value["inputs"]):
        tensor, rest = _tensor(said, f"inputs.{place}", rest, bounds)
        tensors.append(tensor)
    if rest:
        raise RequestError("The body has more bytes than its inputs name.", status=400)
    identity = value.get("id", "")
    if not isinstance(identity, str):
        raise RequestError("must be text", field="id")
    names, binary = _outputs(value.get("outputs", []))
    every = _object(value.get("parameters"), "parameters").get("binary_data_output") is True
    return InferRequest(tuple(tensors), identity, names, binary, every)


def write_response(
    outputs: Mapping[str, Any], fields: Sequence[Field], asked: InferRequest, about: Mapping[str, Any]
) -> tuple[bytes, int | None]:
    """The body of an answer, and what LENGTH_HEADER says of it (None: it is JSON alone).

    `about` is what stands before the outputs: `model_name`, `model_version`, `parameters`. Raises RequestError for an
    output that the model does not have.
    """
    import orjson

    rows: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for tensor in of_outputs(chosen(outputs, fields, asked.outputs), fields):
        row: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if asked.all_binary or tensor.name in asked.binary:
            tail.append(to_raw(tensor))
            row["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            row["data"] = plain(tensor.array.ravel())
        rows.append(row)
    head = orjson.dumps({**about, **({"id": asked.id} if asked.id else {}), "outputs": rows})
    return (head + b"".join(tail), len(head)) if tail else (head, None)


def chosen(outputs: Mapping[str, Any], fields: Sequence[Field], names: Sequence[str]) -> dict[str, Any]:
    """Those of a model's answers that were asked for by name; without names those of its signature."""
    if strange := next((name for name in names if name not in outputs), None):
        raise RequestError("is not an output of this model", field=strange)
    return {name: outputs[name] for name in names or (field.name for field in fields)}


def _length(said: str | None, whole: int) -> int:
    if said is None:
        return whole
    if not (said.isascii() and said.isdigit() and len(said) < 12 and int(said) <= whole):
        raise RequestError("must be a number of bytes of the body", field=LENGTH_HEADER, status=400)
    return int(said)


def _tensor(said: Any, place: str, rest: bytes, bounds: Bounds) -> tuple[Tensor, bytes]:
    row = _object(said, place)
    name, datatype, shape = row.get("name"), row.get("datatype"), row.get("shape")
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise RequestError("must have a name and a datatype", field=place)
    if not isinstance(shape, list) or not all(type(one) is int for one in shape):
        raise RequestError("must have a shape: a list of whole numbers", field=name)
    size = _object(row.get("parameters"), f"{place}.parameters").get("binary_data_size")
    if size is None:
        values, _ = flattened(row.get("data"), bounds, name)
        if not isinstance(row.get("data"), list):
            raise RequestError("must have data: a list", field=name)
        return from_values(name, datatype, shape, values, bounds), rest
    if "data" in row or type(size) is not int or not 0 <= size <= len(rest):
        raise RequestError("binary_data_size is not that of bytes behind the JSON", field=name)
    return from_raw(name, datatype, shape, rest[:size], bounds), rest[size:]


def _outputs(said: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    if not isinstance(said, list):
        raise RequestError("must be a list", field="outputs")
    names: list[str] = []
    binary: set[str] = set()
    for place, one in enumerate(said):
        row = _object(one, f"outputs.{place}")
        if not isinstance(row.get("name"), str):
            raise RequestError("must have a name", field=f"outputs.{place}")
        names.append(row["name"])
        if _object(row.get("parameters"), f"outputs.{place}.parameters").get("binary_data") is True:
            binary.add(row["name"])
    return tuple(dict.fromkeys(names)), frozenset(binary)


def _object(value: Any, field: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError("must be an object", field=field)
    return value
