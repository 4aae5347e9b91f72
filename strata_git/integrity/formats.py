"""What a model's file is, by its content, and whether the formats that hold only data are soundly formed. Pure.

Sources: safetensors' format page; NumPy's NEP 1; the GGUF specification of the ggml project; HDF5 file format 3.0.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Iterator
from itertools import pairwise

from strata_git.integrity.opcodes import looks_like_pickle

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x93NUMPY", "npy"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"ZF0x", "zfile"),
    (b"GGUF", "gguf"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x7fELF", "program"),
    (b"#!/", "program"),
    (b"\xcf\xfa\xed\xfe", "program"),
    (b"\xca\xfe\xba\xbe", "program"),
)
SAFETENSORS_HEADER = 100 << 20
"""Bytes that a safetensors header may have (the format's own bound)."""

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip
_NPY_HEADER = 64 << 10
_TENSORS = 1_000_000
_GGUF_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_GGUF_KEYS = 1 << 20
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(?:\w+>)?(?:Lambda|TFOpLambda)"')


def detect(data: bytes) -> str:
    """The format of a file by its first bytes: a name in `MAGIC`, tar, pickle, safetensors, zlib, lzma, or `""`."""
    if looks_like_pickle(data):  # before all magic numbers: some of them are opcodes too
        return "pickle"
    for magic, name in MAGIC:
        if data.startswith(magic):
            return name
    if data[:2] == b"MZ" and data[128:].find(b"PE\0\0", 0, 1024) >= 0:
        return "program"
    if data[257:262] == b"ustar":
        return "tar"
    if len(data) > 8 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= SAFETENSORS_HEADER:
        return "safetensors"
    if len(data) > 2 and data[0] == 0x78 and int.from_bytes(data[:2], "big") % 31 == 0:
        return "zlib"
    if data[:3] == b"\x5d\x00\x00" and (data[5:13] == b"\xff" * 8 or int.from_bytes(data[5:13], "little") < 1 << 40):
        return "lzma"
    return ""


def has_lambda(config: bytes) -> bool:
    """Whether the description of a Keras model names a layer that is Python code."""
    return _LAMBDA.search(config) is not None


def safetensors_problem(data: bytes) -> str | None:
    """What is wrong with a safetensors file, as the rest of a sentence; None when it is sound."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > SAFETENSORS_HEADER or 8 + length > len(data):
        return "has a header longer than the file"
    if data.count(b"{", 8, 8 + length) > _TENSORS:
        return "describes more tensors than any model has"
    try:
        header = json.loads(data[8 : 8 + length].decode(), object_pairs_hook=_unique, parse_constant=_refuse)
        if not isinstance(header, dict):
            return "has a header that is no object"
        header.pop("__metadata__", None)
        spans = sorted(_tensor(name, told) for name, told in header.items())
    except (ValueError, RecursionError) as error:
        return f"has a header that is not sound: {str(error)[:120]}"
    ends = [(0, 0), *spans]
    for before, (start, _) in pairwise(ends):
        if start != before[1]:
            return "has tensors that overlap" if start < before[1] else "has bytes that belong to no tensor"
    if 8 + length + ends[-1][1] != len(data):
        return "does not end where its last tensor does"
    return None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _tensor(name: str, told: object) -> tuple[int, int]:
    if not isinstance(told, dict):
        raise ValueError(f"'{name[:40]}' is not described")
    bits, shape, span = _BITS.get(str(told.get("dtype"))), _counts(told.get("shape")), _counts(told.get("data_offsets"))
    if bits is None or shape is None or span is None or len(span) != 2:
        raise ValueError(f"'{name[:40]}' has no known type, shape or place")
    count = 1
    for length in shape:
        count *= length
        if count > 1 << 62:
            raise ValueError(f"'{name[:40]}' is impossibly large")
    if (span[1] - span[0]) * 8 != count * bits:
        raise ValueError(f"'{name[:40]}' has a size that is not that of its shape")
    return span[0], span[1]


def _counts(value: object) -> list[int] | None:
    if isinstance(value, list) and all(type(item) is int and item >= 0 for item in value):
        return value
    return None


def npy_layout(data: bytes) -> tuple[int, bool]:
    """Where the content of a .npy file begins, and whether it is a pickle (an array of objects).

    Raises ValueError when the file is not sound.
    """
    if len(data) < 10 or not data.startswith(b"\x93NUMPY") or data[6] not in (1, 2, 3):
        raise ValueError("is no array file of a known version")
    width = 2 if data[6] == 1 else 4
    length = int.from_bytes(data[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _NPY_HEADER or start > len(data):
        raise ValueError("has a header longer than the file, or far too long")
    try:
        header = ast.literal_eval(data[8 + width : start].decode("latin-1"))
        descr, shape = header["descr"], header["shape"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise ValueError("has a header that cannot be read") from None
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("has no shape")
    return start, any("O" in code for code in _codes(descr))


def _codes(descr: object) -> Iterator[str]:
    """Type codes in a dtype's description; names of fields are none."""
    if isinstance(descr, str):
        yield descr
    elif isinstance(descr, list):
        for field in descr:
            if isinstance(field, tuple) and len(field) > 1:
                yield from _codes(field[1])
    elif isinstance(descr, tuple) and descr:
        yield from _codes(descr[0])


def gguf_problem(data: bytes) -> str | None:
    """What is wrong with the header of a GGUF file, as the rest of a sentence; None when it is sound."""
    try:
        version, tensors, keys = struct.unpack_from("<IQQ", data, 4)
        if version not in (2, 3) or tensors > _GGUF_KEYS or keys > _GGUF_KEYS:
            return "has an unknown version, or counts that cannot be"
        at, names = 24, set()
        for _ in range(keys):
            name, at = _gguf_text(data, at)
            if name in names:
                return "names something twice"
            names.add(name)
            (kind,) = struct.unpack_from("<I", data, at)
            at = _gguf_skip(data, at + 4, kind, 0)
        for _ in range(tensors):
            _, at = _gguf_text(data, at)
            (dimensions,) = struct.unpack_from("<I", data, at)
            if dimensions > 8:
                return "has a tensor with too many dimensions"
            (offset,) = struct.unpack_from("<Q", data, at + 4 + 8 * dimensions + 4)
            at += 4 + 8 * dimensions + 12
            if offset > len(data):
                return "places a tensor beyond its end"
    except (struct.error, ValueError):
        return "is cut short, or counts beyond its end"
    return None


def _gguf_text(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("beyond the end")
    return bytes(data[at + 8 : end]), end


def _gguf_skip(data: bytes, at: int, kind: int, depth: int) -> int:
    if kind in _GGUF_SIZES:
        return at + _GGUF_SIZES[kind]
    if kind == 8:
        return _gguf_text(data, at)[1]
    if kind != 9 or depth > 4:
        raise ValueError("unknown type")
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in _GGUF_SIZES:
        at += _GGUF_SIZES[inner] * count
    elif count > len(data) // 8:
        raise ValueError("beyond the end")
    else:
        for _ in range(count):
            at = _gguf_skip(data, at, inner, depth + 1)
    if at > len(data):
        raise ValueError("beyond the end")
    return at
