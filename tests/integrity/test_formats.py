"""Formats that hold only data: told by content, and refused when they are not sound."""

from __future__ import annotations

import json
import struct

import pytest

from strata_git.integrity.formats import detect, gguf_problem, npy_layout, safetensors_problem
from strata_git.integrity.onnx_file import NotOnnx, external_files
from tests.integrity import pickles


def safetensors(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(start: int, end: int, dtype: str = "U8", shape: tuple[int, ...] | None = None) -> dict[str, object]:
    return {"dtype": dtype, "shape": list((end - start,) if shape is None else shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"\x93NUMPY\x01\0", "npy"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh91AY", "bz2"),
        (b"GGUF\x03\0\0\0", "gguf"),
        (b"\x89HDF\r\n\x1a\n", "hdf5"),
        (pickles.tar_of({"a": b"x"}), "tar"),
        (safetensors({}), "safetensors"),
        (b"\x80\x04N.", "pickle"),
        (b"MZ" + bytes(200) + b"PE\0\0", "program"),
        (b"a,b\n", ""),
        (b"", ""),
    ],
)
def test_formats_are_told_by_content(data: bytes, expected: str) -> None:
    assert detect(data) == expected


# --- safetensors


def test_sound_safetensors() -> None:
    assert safetensors_problem(safetensors({})) is None
    header = {
        "__metadata__": {"a": "b"},
        "w": tensor(0, 8, "F32", (2,)),
        "b": tensor(8, 10),
        "s": tensor(10, 14, "F32", ()),
    }
    assert safetensors_problem(safetensors(header, bytes(14))) is None
    assert safetensors_problem(safetensors({"e": tensor(0, 0), "w": tensor(0, 2)}, bytes(2))) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x10\0\0\0\0\0\0\0{}", "longer than the file"),
        (struct.pack("<Q", 1 << 40) + b"{}", "longer than the file"),
        (safetensors(b"[1]"), "no object"),
        (safetensors(b"{"), "not sound"),
        (safetensors(b"\xff{}"), "not sound"),
        (safetensors(b'{"a":' * 9000 + b"1" + b"}" * 9000), "not sound"),
        (safetensors(b'{"a":{},"a":{}}'), "twice"),
        (safetensors(b'{"a":NaN}'), "no number"),
        (safetensors({"a": 1}), "not described"),
        (safetensors({"a": tensor(0, 4, "Q8")}, bytes(4)), "no known type"),
        (safetensors({"a": tensor(0, 4, "F32", (2,))}, bytes(4)), "not that of its shape"),
        (safetensors({"a": tensor(0, 4, "F32", (1 << 40, 1 << 40))}, bytes(4)), "impossibly large"),
        (safetensors({"a": tensor(0, 4), "b": tensor(2, 6)}, bytes(6)), "overlap"),
        (safetensors({"a": tensor(0, 4), "b": tensor(5, 6)}, bytes(6)), "belong to no tensor"),
        (safetensors({"a": tensor(0, 4)}, bytes(5)), "does not end"),
        (safetensors({"a": tensor(0, 4)}, bytes(3)), "does not end"),
        (safetensors({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}, bytes(1)), "no known type"),
    ],
)
def test_unsound_safetensors(data: bytes, problem: str) -> None:
    assert problem in (safetensors_problem(data) or "")


# --- npy


def test_arrays_of_numbers_and_of_objects() -> None:
    assert npy_layout(pickles.npy(bytes(8), "'<f8'")) == (128, False)
    assert npy_layout(pickles.npy(b"N."))[1]
    assert npy_layout(pickles.npy(b"", "[('a', '<f8'), ('Own', '<i2', (3,))]"))[1] is False
    assert npy_layout(pickles.npy(b"", "[('a', '<f8'), ('b', [('c', '|O')])]"))[1]


@pytest.mark.parametrize(
    "data",
    [
        b"\x93NUMPY\x09\x00\x10\x00",
        b"\x93NUMPY\x01\x00\xff\xff{}",
        pickles.npy(b"", "__import__('os')"),
        pickles.npy(b"", "'<f8'", "[1]"),
        pickles.npy(b"", "'<f8'", "(-1,)"),
        b"\x93NUMPY",
    ],
)
def test_unsound_arrays(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|version|shape"):
        npy_layout(data)


# --- gguf


def gguf(keys: bytes = b"", count: int = 0, tensors: bytes = b"", many: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, many, count) + keys + tensors


def entry(name: str, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind) + value


def test_sound_gguf() -> None:
    keys = entry("a", 4, bytes(4)) + entry("b", 8, struct.pack("<Q", 2) + b"hi")
    keys += entry("c", 9, struct.pack("<IQ", 8, 1) + struct.pack("<Q", 1) + b"x") + entry(
        "d", 9, struct.pack("<IQ", 4, 2) + bytes(8)
    )
    placed = struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 4, 0, 0)
    assert gguf_problem(gguf(keys, 4, placed, 1) + bytes(64)) is None
    assert gguf_problem(gguf()) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF",
        gguf(version=9),
        gguf(count=1 << 40),
        gguf(entry("a", 8, struct.pack("<Q", 1 << 40)), 1),
        gguf(entry("a", 9, struct.pack("<IQ", 8, 1 << 40)), 1),
        gguf(entry("a", 77, b""), 1),
        gguf(entry("a", 4, bytes(4)) * 2, 2),
        gguf(tensors=struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 4, 0, 1 << 50), many=1),
        gguf(tensors=struct.pack("<Q", 1) + b"w" + struct.pack("<I", 99) + bytes(900), many=1),
    ],
)
def test_unsound_gguf(data: bytes) -> None:
    assert gguf_problem(data)


# --- onnx


def test_what_is_no_protobuf_is_no_onnx() -> None:
    for data in (b"", b"\xff\xff", b"\x08\x08", b"\x3a\xff\x01", b"\x00\x00", b"\x0b\x0c", b"\x08" + b"\xff" * 12):
        with pytest.raises(NotOnnx):
            external_files(data)


def test_external_data_is_found_in_subgraphs() -> None:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    outside = field(13, field(1, b"location") + field(2, b"a.bin")) + field(13, field(1, b"offset") + field(2, b"0"))
    graph = field(5, outside)
    node = field(5, field(6, graph))  # an attribute that holds a graph
    assert external_files(b"\x08\x08" + field(7, field(1, node))) == {"a.bin"}
    assert external_files(b"\x08\x08" + field(7, b"")) == frozenset()


def test_onnx_files_of_others_are_read() -> None:
    """A chain of a thousand nested graphs ends, too."""

    def field(number: int, data: bytes) -> bytes:
        size = len(data)
        length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) if size > 127 else bytes([size])
        return bytes([number << 3 | 2]) + length + data

    graph = b""
    for _ in range(200):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(NotOnnx, match="deep"):
        external_files(b"\x08\x08" + field(7, graph))
