"""Requests that nobody sends by mistake: each a name, a path, headers and a body."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
RECORD: dict[str, Any] = {"age": 40, "weight": 61.5, "plan": "basic", "active": True, "trace": [1.0, 2.0]}
COLUMNS = {"age": "INT32", "weight": "FP32", "plan": "BYTES", "active": "BOOL", "trace": "FP64"}
INFER = "/v2/models/churn/infer"
CANARY = "zq-31415926"
"""Stands in many values; no answer may say it."""
NAME = "no-such-name"
"""Stands where names are; answers may say it."""
WRONG: tuple[Any, ...] = (
    None, CANARY, "", [], {}, [[1]], {"a": CANARY}, -1e308, 10**40, 2**63, 1.5, True, [CANARY] * 3,
    [[[[[[[[[[1]]]]]]]]]],
    "\u202e\x00", [None, None],
)  # fmt: skip


@dataclass(frozen=True)
class Rude:
    """One request."""

    name: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})
    method: str = "POST"


def every() -> Iterator[Rude]:
    """All of them, always the same."""
    yield from _values()
    yield from _shapes()
    yield from _headers()
    yield from _tensors()
    yield from _csv()
    yield from _arrow()
    yield from _paths()


def _values() -> Iterator[Rude]:
    for column in RECORD:
        for place, value in enumerate(WRONG):
            said = json.dumps({"records": [RECORD, {**RECORD, column: value}]}).encode()
            yield Rude(f"{column} is wrong {place}", "/predict", said)


def _shapes() -> Iterator[Rude]:
    deep = b'{"records":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    wide = {f"c{place}": CANARY for place in range(2000)}
    bodies: list[Any] = [
        deep, b"", b"\0", b"\xff\xfe", b"{", b"null", b"[]", b'"x"', b"NaN", b'{"records": NaN}',
        b'{"records": [1e999]}',
        {"records": {}}, {"records": None}, {"records": [[]]}, {"records": [None]}, {"records": [{}]}, {"columns": []},
        {"records": [RECORD], "columns": {}}, {"records": [{**RECORD, **wide}]}, {"columns": {"age": [1]}},
        {"columns": {name: [value] * (1 + len(name)) for name, value in RECORD.items()}}, {NAME: 1}, {"split": {}},
        {"split": {"columns": list(RECORD), "data": [[1]]}}, {"split": {"columns": [1], "data": []}},
        {"inputs": [[1] * 5]},
        {"split": {"columns": list(RECORD) * 2, "data": [list(RECORD.values()) * 2]}}, {"instances": CANARY},
        {"inputs": 5},
        {"records": [RECORD] * 1001}, {"records": [{**RECORD, "plan": "x" * 2_000_000}]}, {"params": {"a": 1},
        "inputs": []},
        b'{"records": [{"age": 1, "age": 2, "weight": 1, "plan": "a", "active": true, "trace": [1, 2]}]}x',
        {"records": [{**RECORD, "plan": "broken"}]}, b'{"a":' * 5000, b"[" * 1_000_000, b'"\\ud800"', b'{"\\ud800": 1}',
    ]  # fmt: skip
    for path in ("/predict", "/invocations"):
        for place, said in enumerate(bodies):
            yield Rude(f"shape {place}", path, said if isinstance(said, bytes) else json.dumps(said).encode())


def _headers() -> Iterator[Rude]:
    body = json.dumps({"records": [RECORD]}).encode()
    for name, value in (
        ("content-type", "text/plain"), ("content-type", "application/json; charset=utf-16"), ("content-type",
        "x" * 9000),
        ("content-type", ";;;"), ("accept", "image/*"), ("accept", "application/json;q=nan"), ("accept", "," * 5000),
        ("accept", "text/csv;q=0"), ("x-request-timeout-ms", "-1"), ("x-request-timeout-ms", "9" * 500),
        ("x-request-timeout-ms", "1"),
        ("grpc-timeout", "1x"), ("grpc-timeout", ""), ("grpc-timeout", "0n"), ("traceparent", "00-" + "z" * 32),
        ("traceparent", "\xe9"),
        ("x-request-id", "a" * 5000), ("x-request-id", "\xe9\xff"), ("host", "evil.example"), ("host", "[::1"),
        ("sec-fetch-site", "cross-site"), ("content-encoding", "gzip"), ("content-encoding", "br, gzip"),
        ("inference-header-content-length", "-5"), ("inference-header-content-length", "1e3"),
        ("inference-header-content-length", "999999999999"), ("expect", "100-continue"), ("upgrade", "websocket"),
        ("authorization", "Basic eA=="), ("accept-encoding", "identity;q=0"), ("range", "bytes=0-1"), ("cookie",
        "x=" + "y" * 4000),
    ):  # fmt: skip
        for path in ("/predict", INFER):
            yield Rude(f"{name}: {value[:20]}", path, body, {"content-type": JSON, name: value})


def _tensors() -> Iterator[Rude]:
    good = [
        {"name": name, "datatype": kind, "shape": [1, *([2] if name == "trace" else [])],
         "data": RECORD[name] if name == "trace" else [RECORD[name]]}
        for name, kind in COLUMNS.items()
    ]  # fmt: skip
    for place, tensor in enumerate(good):
        for change in (
            {"datatype": "FP128"}, {"datatype": 5}, {"shape": [2]}, {"shape": [-1]}, {"shape": []}, {"shape": "x"},
            {"shape": [2**62, 2**62]}, {"shape": [1] * 40}, {"data": None}, {"data": CANARY}, {"data": [[CANARY]]},
            {"data": [None]}, {"name": NAME}, {"name": None}, {"parameters": []},
            {"parameters": {"binary_data_size": 9}},
        ):  # fmt: skip
            inputs = [*good[:place], {**tensor, **change}, *good[place + 1 :]]
            yield Rude(f"tensor {place} {change}", INFER, json.dumps({"inputs": inputs}).encode())
    for said in ({"inputs": good, "outputs": [{"name": NAME}]}, {"inputs": good, "outputs": [5]}, {"inputs": good,
        "id": 5},
                 {"inputs": good * 2}, {"inputs": good[1:]}, {"inputs": good, "parameters": 1},
                 {"inputs": None}):  # fmt: skip
        yield Rude("tensors", INFER, json.dumps(said).encode())
    sizes = {"inputs": [{"name": "plan", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 8}}]}
    head = json.dumps(sizes).encode()
    for tail in (struct.pack("<I", 2**32 - 1) + b"abcd", b"", b"\0" * 8, struct.pack("<I", 4) + b"\xff" * 4):
        yield Rude("bytes", INFER, head + tail, {"inference-header-content-length": str(len(head))})


def _csv() -> Iterator[Rude]:
    chance = random.Random(5)
    for place in range(20):
        text = bytes(chance.choice(b'a,"\n\r\xff\x00;=1.5') for _ in range(200))
        yield Rude(f"csv {place}", "/predict", text, {"content-type": CSV})
    yield Rude("csv of columns", "/predict", b"," * 500_000, {"content-type": CSV})
    yield Rude("csv of quotes", "/predict", b'"' * 500_001, {"content-type": CSV})


def stream() -> bytes:
    """A sound Arrow stream."""
    columns: dict[str, Any] = {name: pa.array([value] * 3) for name, value in RECORD.items() if name != "trace"}
    columns["trace"] = pa.array([RECORD["trace"]] * 3, pa.list_(pa.float64(), 2))
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _arrow() -> Iterator[Rude]:
    chance = random.Random(7)
    good = stream()
    for place in range(60):
        data = bytearray(good[: chance.randrange(len(good))] if place % 4 == 0 else good)
        for _ in range(3):
            if data:
                data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255))
        yield Rude(f"arrow {place}", "/predict", bytes(data), {"content-type": ARROW})


def _paths() -> Iterator[Rude]:
    for path in ("/v2/models//infer", "/v2/models/%00/infer", "/v2/models/churn/versions/v9/infer", "/predict/",
        "//predict",
                 "/v2/models/churn/infer/infer", "/../etc/passwd", "/assets/..%2f..%2fapp.py", "/assets/%2e%2e",
                 "/PREDICT",
                 "/v2/models/" + "x" * 5000 + "/infer", "/%ff%fe", "/predict;x=1", "/predict?records=1"):  # fmt: skip
        yield Rude(f"path {path[:30]}", path, json.dumps({"records": [RECORD]}).encode())
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"):
        for path in ("/predict", "/", "/v2", "/card"):
            yield Rude(f"{method} {path}", path, b"", {}, method)
