"""Which tensors a file holds: told apart by name, type, shape and content, and never built."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from strata_git.integrity.tensors import NoTensors, TensorFile, tensors_of


def safetensors(tensors: dict[str, bytes], notes: dict[str, str] | None = None) -> bytes:
    header: dict[str, object] = {"__metadata__": notes} if notes else {}
    at = 0
    for name, body in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(body)], "data_offsets": [at, at + len(body)]}
        at += len(body)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(tensors.values())


def model(weights: dict[str, np.ndarray], operation: str = "Relu", *, raw: bool = True) -> bytes:
    made = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    if not raw:
        made = [helper.make_tensor(n, TensorProto.FLOAT, v.shape, v.flatten().tolist()) for n, v in weights.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node(operation, ["x"], ["y"])], "g", ends[:1], ends[1:], made)
    return helper.make_model(graph).SerializeToString()


def test_safetensors_are_told_by_name_type_shape_and_content() -> None:
    found = tensors_of("m.safetensors", safetensors({"w": b"abc", "b": b"d"}))
    assert {name: (one.type, one.shape) for name, one in found.tensors.items()} == {
        "b": ("U8", (1,)),
        "w": ("U8", (3,)),
    }
    assert found.tensors["w"].sha256 == hashlib.sha256(b"abc").hexdigest()
    moved = tensors_of("m.safetensors", safetensors({"b": b"d", "w": b"abc"}))
    assert moved == found
    noted = tensors_of("m.safetensors", safetensors({"w": b"abc", "b": b"d"}, {"by": "x"}))
    assert noted.tensors == found.tensors
    assert noted.rest != found.rest


def test_onnx_initialisers_are_those_that_onnx_reads() -> None:
    weights = {"w": np.ones((2, 3), np.float32), "b": np.arange(4, dtype=np.int64), "s": np.array(1.5, np.float64)}
    data = model(weights)
    found = tensors_of("m.onnx", data)
    read = {one.name: tuple(one.dims) for one in onnx.load_from_string(data).graph.initializer}
    assert {name: one.shape for name, one in found.tensors.items()} == read
    assert {name: one.type for name, one in found.tensors.items()} == {"w": "F32", "b": "I64", "s": "F64"}


def test_an_onnx_weight_and_an_onnx_graph_are_told_apart() -> None:
    def read(value: float, operation: str = "Relu") -> TensorFile:
        return tensors_of(
            "m.onnx", model({"w": np.full(3, value, np.float32), "b": np.zeros(2, np.float32)}, operation)
        )

    base, other, graph = read(1.0), read(2.0), read(1.0, "Sigmoid")
    assert (base.tensors["b"], base.rest) == (other.tensors["b"], other.rest)
    assert base.tensors["w"] != other.tensors["w"]
    assert base.tensors == graph.tensors
    assert base.rest != graph.rest
    assert tensors_of("m.onnx", model({"w": np.ones(3, np.float32)}, raw=False)).tensors["w"].shape == (3,)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("m.safetensors", b"\xff" * 20, "header longer"),
        ("m.safetensors", safetensors({"w": b"abc"})[:-1], "does not end"),
        ("m.onnx", b"hello", "no protobuf"),
        ("m.onnx", b"\x08\x07", "no graph"),
        ("m.pt", b"", "no format"),
    ],
)
def test_what_is_not_what_it_is_called_is_said(name: str, data: bytes, said: str) -> None:
    with pytest.raises(NoTensors, match=said):
        tensors_of(name, data)


@given(st.binary(max_size=200), st.sampled_from(["m.onnx", "m.safetensors"]))
@settings(max_examples=150)
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    with contextlib.suppress(NoTensors):  # and nothing else
        assert tensors_of(name, data).rest
