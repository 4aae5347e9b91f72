"""Tensors in JSON, behind JSON and in protobuf, all the same arrays; and what is refused."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from strata_git.serving import oip, oip_grpc, oip_rest
from strata_git.serving.columns import Bounds
from strata_git.serving.errors import RequestError
from strata_git.serving.tensors import DTYPES, Tensor, from_raw, from_values, of_outputs, to_raw, to_table
from tests.serving.models import LINEAR, MIXED

COLUMNS = [
    Tensor("age", "INT64", np.array([41, 42])),
    Tensor("weight", "FP32", np.array([[70.5], [71.5]], dtype=np.float32)),
    Tensor("plan", "BYTES", np.array(["bäsic", ""], dtype=object)),
    Tensor("active", "BOOL", np.array([True, False])),
    Tensor("trace", "FP64", np.array([[1.0, 2.0], [3.0, 4.0]])),
]
_ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: st.tuples(st.just(name), npst.arrays(DTYPES[name], npst.array_shapes(max_dims=3, max_side=3)))
)


@settings(max_examples=25)
@given(_ARRAYS)
def test_bytes_on_the_wire_come_back(given_: tuple[str, Any]) -> None:
    datatype, array = given_
    tensor = Tensor("x", datatype, array)
    again = from_raw("x", datatype, tensor.shape, to_raw(tensor))
    np.testing.assert_array_equal(again.array, array)
    if datatype != "FP16":  # protobuf has no list for it
        same = from_values("x", datatype, tensor.shape, array.ravel().tolist())
        np.testing.assert_array_equal(same.array, array)
        assert same.array.dtype == array.dtype


@settings(max_examples=25)
@given(st.lists(st.text(max_size=6), max_size=5), st.binary(max_size=8))
def test_texts_come_back_and_forged_lengths_do_not(texts: list[str], tail: bytes) -> None:
    raw = to_raw(Tensor("t", "BYTES", np.array(texts, dtype=object)))
    assert from_raw("t", "BYTES", [len(texts)], raw).array.tolist() == texts
    if tail:
        with pytest.raises(RequestError, match="t: does not hold"):
            from_raw("t", "BYTES", [len(texts)], raw + tail)


def as_json(tensors: list[Tensor], binary: bool) -> tuple[bytes, str | None]:
    rows, tail = [], b""
    for tensor in tensors:
        row: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if binary:
            row["parameters"] = {"binary_data_size": len(to_raw(tensor))}
            tail += to_raw(tensor)
        else:
            row["data"] = tensor.array.tolist()
        rows.append(row)
    head = json.dumps({"id": "7", "inputs": rows}).encode()
    return head + tail, str(len(head)) if binary else None


@pytest.mark.parametrize("binary", [False, True])
def test_all_ways_of_asking_give_one_table(binary: bool) -> None:
    asked = oip_rest.read_request(*as_json(COLUMNS, binary))
    request = oip_grpc.write_request("forest", "v1", COLUMNS)
    if not binary:
        del request.raw_input_contents[:]
        for tensor, held in zip(COLUMNS, request.inputs, strict=True):
            values = [v.encode() if isinstance(v, str) else v for v in tensor.array.ravel().tolist()]
            getattr(held.contents, oip_grpc._CONTENTS[tensor.datatype]).extend(values)
    request = oip.messages()["ModelInferRequest"].FromString(request.SerializeToString())
    for tensors in (asked.tensors, oip_grpc.read_request(request)):
        table = to_table(tensors, MIXED)
        assert table.rows == 2
        assert table.columns["age"].tolist() == [41, 42]
        assert [array.dtype.str for array in table.arrays] == ["<i4", "<f4", "|O", "|b1", "<f8"]
        assert [array.tolist() for array in table.arrays[1:]] == [
            [70.5, 71.5], ["bäsic", ""], [True, False], [[1.0, 2.0], [3.0, 4.0]],
        ]  # fmt: skip


def test_one_matrix_may_stand_for_all_columns_of_numbers() -> None:
    matrix = Tensor("input-0", "FP32", np.array([[1, 2], [3, 4]], dtype=np.float32))
    table = to_table([matrix], LINEAR)
    assert (table.rows, table.columns["petal"].tolist()) == (2, [2.0, 4.0])
    for wrong, words in (
        (Tensor("input-0", "FP32", matrix.array[:, :1]), r"must be of shape \[rows, 2\]"),
        (Tensor("sepal", "FP32", matrix.array[:, :1]), "petal: is missing"),
        (Tensor("input-0", "FP64", np.array([[1, 2], [3, np.inf]])), "petal: row 1: missing, NaN or out of range"),
        (Tensor("input-0", "BYTES", np.array([["a", "b"]], dtype=object)), "must be of datatype FP64"),
    ):
        with pytest.raises(RequestError, match=words):
            to_table([wrong], LINEAR)


@pytest.mark.parametrize(
    ("name", "datatype", "array", "words"),
    [
        ("age", "FP64", np.array([1.0, 2.0]), "age: must be of datatype INT32"),
        ("age", "INT64", np.array([1, 1 << 40]), "age: out of the range of int32"),
        ("age", "INT64", np.array([[1, 2], [3, 4]]), "age: must be of shape [rows]"),
        ("age", "INT64", np.array(1), "age: must be of shape [rows]"),
        ("age", "INT64", np.array([1]), "different numbers of rows"),
        ("weight", "FP64", np.array([1.0, np.nan]), "weight: row 1: missing, NaN or out of range"),
        ("weight", "FP64", np.array([1.0, 1e300]), "weight: row 1: missing, NaN or out of range"),
        ("weight", "INT64", np.array([1, 1 << 60]), "weight: holds integers too large"),
        ("plan", "INT64", np.array([1, 2]), "plan: must be of datatype BYTES"),
        ("active", "UINT8", np.array([1, 0], dtype=np.uint8), "active: must be of datatype BOOL"),
        ("trace", "FP64", np.array([1.0, 2.0]), "trace: must be of shape [rows, 2]"),
        ("colour", "FP64", np.array([1.0, 2.0]), "colour: is not an input of this model"),
    ],
)
def test_wrong_tensors_are_named(name: str, datatype: str, array: Any, words: str) -> None:
    tensors = [one for one in COLUMNS if one.name != name] + [Tensor(name, datatype, array)]
    with pytest.raises(RequestError) as error:
        to_table(tensors, MIXED)
    assert words in error.value.message
    with pytest.raises(RequestError, match="names an input twice"):
        to_table([*COLUMNS, COLUMNS[0]], MIXED)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "words"),
    [
        ("FP64", [2], b"\0" * 8, "8 bytes for 2 elements"),
        ("BOOL", [2], b"\0\2", "neither 0 nor 1"),
        ("BYTES", [1], struct.pack("<I", 1 << 31) + b"a", "does not hold 1 texts"),
        ("BYTES", [1], struct.pack("<I", 1) + b"\xff", "no UTF-8"),
        ("FP128", [1], b"", "is no datatype"),
        ("FP64", [-1], b"", "a shape that is not taken"),
        ("FP64", [1 << 60], b"", "a shape that is not taken"),
        ("FP64", [1 << 30, 1 << 30], b"", "holds more than"),
        ("FP64", [1] * 9, b"\0" * 8, "a shape that is not taken"),
    ],
)
def test_wrong_bytes(datatype: str, shape: list[int], data: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        from_raw("x", datatype, shape, data)


@pytest.mark.parametrize(
    ("change", "length", "words"),
    [
        ({"inputs": 1}, None, "inputs: must be a list of tensors"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": "2"}]}, None, "x: must have a shape"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1]}]}, None, "x: must have data"),
        ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [2], "data": [1]}]}, None, "its shape says 2"),
        ({"inputs": [{"name": "x", "datatype": "BOOL", "shape": [1], "data": ["SECRET"]}]}, None, "true or false"),
        (
            {"inputs": [{"name": "x", "datatype": "INT8", "shape": [2, 2], "data": [[1, 2], [3, "SECRET"]]}]},
            None, "x: row 1: must be a whole number",
        ),
        ({"inputs": [], "id": 7}, None, "id: must be text"),
        ({"inputs": [], "outputs": [{}]}, None, "outputs.0: must have a name"),
        ({"inputs": []}, "99999", "must be a number of bytes of the body"),
        ({"inputs": []}, "-1", "must be a number of bytes of the body"),
        (
            {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}]},
            None, "x: binary_data_size is not that of bytes",
        ),
    ],
)  # fmt: skip
def test_wrong_bodies(change: dict[str, Any], length: str | None, words: str) -> None:
    with pytest.raises(RequestError) as error:
        oip_rest.read_request(json.dumps(change).encode(), length)
    assert words in error.value.message
    assert "SECRET" not in error.value.message
    with pytest.raises(RequestError, match="more bytes than its inputs name"):
        oip_rest.read_request(b'{"inputs": []}xx', "14")
    with pytest.raises(RequestError, match="more than 5 bytes"):
        oip_rest.read_request(b'{"inputs": []}', None, Bounds(body_bytes=5))


def test_answers_are_json_or_bytes_as_was_asked() -> None:
    outputs = {"score": np.array([1.5, np.nan]), "probabilities": np.array([[0.1, 0.9]] * 2, dtype=np.float32)}
    plain = oip_rest.InferRequest((), id="7")
    body, length = oip_rest.write_response(outputs, LINEAR.outputs, plain, {"model_name": "forest"})
    assert length is None
    assert json.loads(body) == {
        "model_name": "forest", "id": "7",
        "outputs": [{"name": "score", "datatype": "FP64", "shape": [2], "data": [1.5, None]}],
    }  # fmt: skip
    asked = oip_rest.read_request(
        b'{"inputs": [], "outputs": [{"name": "probabilities", "parameters": {"binary_data": true}}]}'
    )
    body, length = oip_rest.write_response(outputs, LINEAR.outputs, asked, {})
    said = json.loads(body[:length])["outputs"]
    assert said == [
        {"name": "probabilities", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}}
    ]
    np.testing.assert_array_equal(np.frombuffer(body[length:], "<f4").reshape(2, 2), outputs["probabilities"])
    with pytest.raises(RequestError, match="gone: is not an output"):
        oip_rest.write_response(outputs, LINEAR.outputs, oip_rest.InferRequest((), outputs=("gone",)), {})


def test_grpc_answers_come_back() -> None:
    request = oip.message("ModelInferRequest", id="7")
    outputs = {"score": np.array([1.5, 2.5]), "more": np.array(["a", "b"], dtype=object)}
    request.outputs.add(name="score")
    request.outputs.add(name="more")
    made = oip_grpc.write_response(
        outputs, LINEAR.outputs, request, model="forest", version="v1", parameters={"strata-model": "forest@v1"}
    )
    assert (made.id, made.parameters["strata-model"].string_param) == ("7", "forest@v1")
    told = oip_grpc.read_response(made)
    assert [(one.name, one.datatype, one.array.tolist()) for one in told] == [
        ("score", "FP64", [1.5, 2.5]), ("more", "BYTES", ["a", "b"]),
    ]  # fmt: skip
    assert of_outputs({"x": np.array([1], dtype=np.int8)}, ())[0].datatype == "INT8"
    made.raw_output_contents.pop()
    with pytest.raises(RequestError, match="not as many"):
        oip_grpc.read_response(made)


def test_contents_of_another_type_or_twice_are_refused() -> None:
    request = oip.message("ModelInferRequest")
    held = request.inputs.add(name="x", datatype="FP64", shape=[1])
    held.contents.int64_contents.append(1)
    with pytest.raises(RequestError, match="x: has contents that are not fp64_contents"):
        oip_grpc.read_request(request)
    request.raw_input_contents.append(b"\0" * 8)
    with pytest.raises(RequestError, match="x: has contents beside raw_input_contents"):
        oip_grpc.read_request(request)
    request.raw_input_contents.append(b"")
    with pytest.raises(RequestError, match="not as many"):
        oip_grpc.read_request(request)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=8,
)
_TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["age", "weight", "plan", "active", "trace", "x"]),
        "datatype": st.sampled_from([*DTYPES, "BYTES", "FP128"]),
        "shape": st.lists(st.integers(-1, 3), max_size=3) | _JSON,
    },
    optional={"data": _JSON, "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 20)) | _JSON},
)


@settings(max_examples=40)
@given(st.lists(_TENSOR, max_size=5) | _JSON, st.binary(max_size=20), st.sampled_from([MIXED, LINEAR]))
def test_nothing_else_than_a_request_error_comes_of_any_body(tensors: Any, tail: bytes, signature: Any) -> None:
    head = json.dumps({"inputs": tensors}).encode()
    try:
        asked = oip_rest.read_request(head + tail, str(len(head)))
        to_table(asked.tensors, signature)
    except RequestError as error:
        if error.status not in (400, 413, 422):
            raise


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["age", "weight", "plan", "active", "trace"]),
            st.sampled_from([*DTYPES, "BYTES", ""]),
            st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=3),
            st.sampled_from(sorted(oip_grpc._CONTENTS.values())),
            st.lists(st.integers(0, 1), max_size=3),
        ),
        max_size=5,
    ),
    st.lists(st.binary(max_size=24), max_size=2),
)
def test_nor_of_any_message(tensors: list[tuple[Any, ...]], raw: list[bytes]) -> None:
    request = oip.message("ModelInferRequest", raw_input_contents=raw)
    for name, datatype, shape, held, values in tensors:
        tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
        texts = held == "bytes_contents"
        getattr(tensor.contents, held).extend([b"\xff" * one if texts else one for one in values])
    try:
        to_table(oip_grpc.read_request(request), MIXED)
    except RequestError as error:
        if error.status not in (400, 413, 422):
            raise
