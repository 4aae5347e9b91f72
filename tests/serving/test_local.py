"""Models in this process: answers in the types of the signature, and no code, no network, no file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving import oip_rest
from strata_git.serving.backends.local import OnnxModel, SkopsModel
from strata_git.serving.columns import Signature, blank_table, signature_of
from strata_git.serving.errors import PredictionError
from strata_git.serving.tables import parse_body, prediction_records, read_table
from strata_git.serving.tensors import to_table
from tests.serving.models import COLUMNS, LINEAR, linear, onnx_model
from tests.support.fixtures import ROOT

ROWS = {"records": [{"sepal": 1, "petal": 2}, {"sepal": 3.5, "petal": 4}]}


def signature(**sides: object) -> Signature:
    return signature_of({"signature": {**COLUMNS, **sides}})


def test_one_matrix_or_one_input_a_column() -> None:
    columns = onnx_model([[2.0], [3.0]], columns=["sepal", "petal"])
    for data in (linear(), columns):
        answers = OnnxModel(data, LINEAR, threads=2).predict(read_table(ROWS, LINEAR))
        assert answers["score"].dtype == np.float64
        assert answers["score"].tolist() == [8.0, 19.0]
    wide = signature(inputs=[{"name": "features", "type": "float64", "shape": [None, 2]}])
    table = read_table({"records": [{"features": [1, 2]}]}, wide)
    assert OnnxModel(linear(), wide).predict(table)["score"].tolist() == [8.0]
    pair = signature(outputs=[{"name": "variable", "type": "float32", "shape": [None, 2]}])
    answer = OnnxModel(onnx_model([[1.0, 0.0], [0.0, 1.0]]), pair).predict(read_table(ROWS, pair))
    assert answer["variable"].tolist() == [[1, 2], [3.5, 4]]


@pytest.mark.parametrize(
    ("data", "sides", "words"),
    [
        (b"no model", {}, "ONNX Runtime cannot load"),
        (linear(), {"inputs": [{"name": "a", "type": "float64"}]}, "its signature names 1 values"),
        (linear(), {"inputs": [{"name": name, "type": "string"} for name in "ab"]}, "signature names 2 values"),
        (
            onnx_model([[2.0], [3.0]], columns=["sepal", "colour"]),
            {}, "inputs are not those of its signature",
        ),
        (linear(), {"outputs": [{"name": name, "type": "float64"} for name in "ab"]}, "outputs are not those"),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_signature_does_not_load(data: bytes, sides: dict[str, object], words: str) -> None:
    with pytest.raises(StrataError, match=words):
        OnnxModel(data, signature(**sides))


def test_answers_of_other_types_are_no_answers() -> None:
    for kind, words in (("string", "is text"), ("int64", "is int64")):
        wrong = signature(outputs=[{"name": "score", "type": kind}])
        with pytest.raises(PredictionError, match=words):
            OnnxModel(linear(), wrong).predict(blank_table(wrong))
    two = OnnxModel(onnx_model([[1.0, 0.0], [0.0, 1.0]]), LINEAR)
    with pytest.raises(PredictionError, match="has not the shape"):
        two.predict(blank_table(LINEAR))


def cost(answer: Callable[[], object]) -> float:
    """CPU seconds of one call: the least of several rounds, since machines may be busy."""
    rounds = []
    for _ in range(8):
        before = time.process_time()
        for _ in range(250):
            answer()
        rounds.append((time.process_time() - before) / 250)
    return min(rounds)


@pytest.mark.heavy
def test_a_request_of_one_row_costs_little() -> None:
    """From the body's bytes to the answer's, thirty columns, on one processor: 200 microseconds at most."""
    names = [f"column_{place}" for place in range(30)]
    said = signature(inputs=[{"name": name, "type": "float64"} for name in names])
    model = OnnxModel(onnx_model([[1.0]] * 30), said)
    body = json.dumps({"records": [dict.fromkeys(names, 1.5)]}).encode()
    tensor = {"name": "all", "datatype": "FP64", "shape": [1, 30], "data": [[1.5] * 30]}
    v2 = json.dumps({"inputs": [tensor]}).encode()

    def table() -> bytes:
        return json.dumps(prediction_records(model.predict(read_table(parse_body(body), said)))).encode()

    def infer() -> bytes:
        asked = oip_rest.read_request(v2)
        return oip_rest.write_response(model.predict(to_table(asked.tensors, said)), said.outputs, asked, {})[0]

    assert json.loads(table()) == [{"score": 45.0}]
    assert json.loads(infer())["outputs"][0]["data"] == [45.0]
    assert max(cost(table), cost(infer)) < 200e-6


QUIET = """
import sys
sys.path.insert(0, {root!r})
def hook(event, args):
    if event.startswith("socket.") or event == "subprocess.Popen":
        raise SystemExit(f"{{event}} {{args}}")
sys.addaudithook(hook)
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import blank_table
from tests.serving.models import LINEAR, linear
OnnxModel(linear(), LINEAR).predict(blank_table(LINEAR))
"""


@pytest.mark.heavy
def test_the_runtime_tells_nobody(hermetic: dict[str, str]) -> None:
    """Neither a connection nor the identity that it would keep in the home directory."""
    subprocess.run([sys.executable, "-c", QUIET.format(root=str(ROOT))], env=hermetic, check=True)
    home = Path(hermetic["HOME"])
    assert [one for one in home.rglob("*") if "onnxruntime" in str(one).casefold() or one.name == "deviceid"] == []


@pytest.mark.heavy
def test_skops_loads_from_bytes_what_is_trusted_and_answers_as_the_estimator(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    from strata_git.runs.plugins import sklearn_skops

    iris = load_iris()
    forest = RandomForestClassifier(8, random_state=1, n_jobs=2).fit(iris.data, iris.target)
    trusted = sklearn_skops.save(forest, tmp_path / "model.skops")
    data = (tmp_path / "model.skops").read_bytes()
    names = ["a", "b", "c", "d"]
    said = signature(
        inputs=[{"name": name, "type": "float64"} for name in names], outputs=[{"name": "y", "type": "int64"}]
    )
    table = read_table({"split": {"columns": names, "data": iris.data.tolist()}}, said)
    model = SkopsModel(data, said, trusted=trusted)
    answers = model.predict(table)
    np.testing.assert_array_equal(answers["y"], forest.predict(iris.data))
    np.testing.assert_array_equal(answers["probabilities"], forest.predict_proba(iris.data))
    with pytest.raises(StrataError, match="skops cannot load the model"):
        SkopsModel(data, said, trusted=())
    with pytest.raises(StrataError, match="skops cannot load the model"):
        SkopsModel(data[:-100], said, trusted=trusted)
