"""Small models as bytes, and the metadata that goes with them."""

from __future__ import annotations

from typing import Any

from strata_git.load import dump_json
from strata_git.serving.columns import Signature, signature_of

COLUMNS = {
    "inputs": [{"name": "sepal", "type": "float64"}, {"name": "petal", "type": "float64"}],
    "outputs": [{"name": "score", "type": "float64"}],
}
LINEAR: Signature = signature_of({"signature": COLUMNS})
MIXED: Signature = signature_of({
    "signature": {
        "inputs": [
            {"name": "age", "type": "int32"}, {"name": "weight", "type": "float32"}, {"name": "plan", "type": "string"},
            {"name": "active", "type": "bool"}, {"name": "trace", "type": "float64", "shape": [None, 2]},
        ],
        "outputs": [{"name": "score", "type": "float64"}],
    }
})  # fmt: skip


def onnx_model(weights: list[list[float]], *, columns: list[str] | None = None) -> bytes:
    """A linear model: `variable` = features @ weights; with `columns` each is an input of its own, concatenated."""
    from onnx import TensorProto, helper

    wide, outs = len(weights), len(weights[0])
    fixed = helper.make_tensor("W", TensorProto.FLOAT, [wide, outs], [one for row in weights for one in row])
    names = columns or ["features"]
    each = 1 if columns else wide
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, each]) for name in names]
    nodes = [helper.make_node("Concat", names, ["X"], axis=1)] if columns else []
    nodes.append(helper.make_node("MatMul", ["X" if columns else "features", "W"], ["variable"]))
    output = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, outs])
    graph = helper.make_graph(nodes, "linear", inputs, [output], [fixed])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = made.SerializeToString()
    return data


def linear() -> bytes:
    """score = 2 sepal + 3 petal."""
    return onnx_model([[2.0], [3.0]])


def other() -> bytes:
    """score = 5 sepal + 7 petal."""
    return onnx_model([[5.0], [7.0]])


def served(data: bytes | None = None, **metadata: object) -> dict[str, Any]:
    """What `builder.model` takes for a version that answers with an ONNX model."""
    said = {"artifact": "model.onnx", "format": "onnx", "signature": COLUMNS, **metadata}
    return {"metadata": said, "extra": {"model.skops": None, "model.onnx": data or linear()}}


def golden_text(score: float = 10.0, version: str = "v1") -> bytes:
    """One golden prediction of the linear model: sepal 2, petal 2 give 10."""
    return dump_json({
        "schema": "strata/golden/v1", "model": f"models/forest@{version}",
        "inputs": {"columns": ["petal", "sepal"], "rows": [[2, 2.0]]},
        "outputs": {"columns": ["score"], "rows": [[score]]},
    })  # fmt: skip
