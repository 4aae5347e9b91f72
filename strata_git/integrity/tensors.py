"""Which tensors a model file holds, by name, type, shape and digest, so that two files can be told apart. Pure.

Nothing is built from the bytes. Sources: safetensors' format page; onnx.proto of the ONNX project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from strata_git.integrity.formats import safetensors_problem
from strata_git.integrity.onnx_file import NotOnnx, fields, varint

READABLE = ("onnx", "safetensors")
"""Formats that are looked into, by the file name's ending."""
_TYPES = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 8: "STRING", 9: "BOOL", 10: "F16", 11: "F64",
    12: "U32", 13: "U64", 14: "C64", 15: "C128", 16: "BF16",
}  # fmt: skip
_TENSORS = 1_000_000


class NoTensors(ValueError):
    """The bytes are not a file of the format that their name promises; the message is the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its element type, its shape, and the SHA-256 (hex) of its content as the file holds it."""

    type: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class TensorFile:
    """The tensors of a file, and the SHA-256 of all else it says (the graph of an ONNX model, notes)."""

    tensors: Mapping[str, Tensor]
    rest: str


def tensors_of(name: str, data: bytes) -> TensorFile:
    """What the file `name` holds. Raises NoTensors where it is not readable as what its name says."""
    ending = name.rpartition(".")[2].lower()
    if ending == "safetensors":
        return _safetensors(data)
    if ending == "onnx":
        try:
            return _onnx(data)
        except NotOnnx as error:
            raise NoTensors(str(error)) from None
    raise NoTensors("is in no format whose tensors can be told apart")


def _safetensors(data: bytes) -> TensorFile:
    if problem := safetensors_problem(data):
        raise NoTensors(problem)
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    notes = header.pop("__metadata__", None)
    view = memoryview(data)
    found = {}
    for name, told in header.items():
        first, last = told["data_offsets"]
        digest = hashlib.sha256(view[start + first : start + last]).hexdigest()
        found[name] = Tensor(told["dtype"], tuple(told["shape"]), digest)
    rest = json.dumps(notes, sort_keys=True).encode()
    return TensorFile(dict(sorted(found.items())), hashlib.sha256(rest).hexdigest())


def _onnx(data: bytes) -> TensorFile:
    """Initialisers of the main graph; a tensor encoded otherwise counts as another one."""
    view = memoryview(data)
    found: dict[str, Tensor] = {}
    rest = hashlib.sha256()
    graphs = 0
    for number, kind, at, stop in fields(view, 0, len(view)):
        if (number, kind) != (7, 2):
            rest.update(b"%d:" % number + bytes(view[at:stop]))
            continue
        graphs += 1
        for inner, wire, start, end in fields(view, at, stop):
            if (inner, wire) == (5, 2):
                name, tensor = _initialiser(view, start, end)
                found[name] = tensor
                if len(found) > _TENSORS:
                    raise NoTensors("describes more tensors than any model has")
            else:
                rest.update(b"%d:" % inner + bytes(view[start:end]))
    if not graphs:
        raise NoTensors("has no graph")
    return TensorFile(dict(sorted(found.items())), rest.hexdigest())


def _initialiser(view: memoryview, start: int, end: int) -> tuple[str, Tensor]:
    name, kind, shape, digest = "", 0, [], hashlib.sha256()
    for number, wire, at, stop in fields(view, start, end):
        if number == 8 and wire == 2:
            name = bytes(view[at:stop]).decode("utf-8", "replace")
        elif number == 2 and wire == 0:
            kind = varint(view, at, stop)[0]
        elif number == 1:
            while at < stop:  # one number, or many packed together
                length, at = varint(view, at, stop)
                shape.append(length)
        elif number != 12:
            digest.update(b"%d:%d:" % (number, stop - at))
            digest.update(view[at:stop])
    return name, Tensor(_TYPES.get(kind, f"type {kind}"), tuple(shape), digest.hexdigest())
