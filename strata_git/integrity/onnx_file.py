"""ONNX files: the protobuf fields that name other files. Pure; neither onnx nor protobuf is needed.

Source: onnx.proto of the ONNX project (message and field numbers), Protocol Buffers' encoding guide.
"""

from __future__ import annotations

from collections.abc import Iterator

_INSIDE = {
    ("model", 7): "graph", ("model", 20): "training", ("model", 25): "function", ("training", 1): "graph",
    ("training", 2): "graph", ("graph", 1): "node", ("graph", 5): "tensor", ("graph", 15): "sparse",
    ("function", 7): "node", ("node", 5): "attribute", ("attribute", 5): "tensor", ("attribute", 6): "graph",
    ("attribute", 10): "tensor", ("attribute", 11): "graph", ("attribute", 22): "sparse", ("attribute", 23): "sparse",
    ("sparse", 1): "tensor", ("sparse", 2): "tensor", ("tensor", 13): "external",
}  # fmt: skip
"""(message, field number) → message: the ways that lead to tensors."""
_DEEPEST = 64
_FIELDS = 5_000_000


class NotOnnx(ValueError):
    """The bytes are no ONNX model."""


def external_files(data: bytes) -> frozenset[str]:
    """The `location` of every tensor whose content lies in another file. Raises NotOnnx."""
    view = memoryview(data)
    found: set[str] = set()
    waiting = [("model", 0, len(view), 0)]
    budget = _FIELDS
    versions = graphs = 0
    while waiting:
        message, start, end, depth = waiting.pop()
        if message == "external":
            key, value = _entry(view, start, end)
            if key == b"location":
                found.add(value.decode("utf-8", "surrogateescape"))
            continue
        for number, kind, at, stop in fields(view, start, end):
            budget -= 1
            if budget < 0 or depth > _DEEPEST:
                raise NotOnnx("is nested too deep, or has too many fields")
            versions += message == "model" and number == 1 and kind == 0
            graphs += message == "model" and number == 7 and kind == 2
            inner = _INSIDE.get((message, number)) if kind == 2 else None
            if inner:
                waiting.append((inner, at, stop, depth + 1))
    if not versions or not graphs:
        raise NotOnnx("has no version or no graph")
    return frozenset(found)


def _entry(view: memoryview, start: int, end: int) -> tuple[bytes, bytes]:
    """Key and value of a StringStringEntryProto."""
    parts = {number: bytes(view[at:stop]) for number, kind, at, stop in fields(view, start, end) if kind == 2}
    return parts.get(1, b""), parts.get(2, b"")


def fields(view: memoryview, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, wire type, start, end) of each field of a message; of a number, `start` is where it begins."""
    at = start
    while at < end:
        tag, at = varint(view, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise NotOnnx("is no protobuf message")
        if kind == 0:
            _, stop = varint(view, at, end)
        elif kind in (1, 5):
            stop = at + (8 if kind == 1 else 4)
        elif kind == 2:
            length, at = varint(view, at, end)
            stop = at + length
        else:
            raise NotOnnx("is no protobuf message")
        if stop > end:
            raise NotOnnx("is cut short")
        yield number, kind, at, stop
        at = stop


def varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends. Raises NotOnnx."""
    value = shift = 0
    while at < end and shift < 64:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise NotOnnx("is cut short")
