"""The Open Inference Protocol over HTTP: metadata, tensors as JSON and as bytes, versions, canaries."""

from __future__ import annotations

import asyncio
import io
import json
import struct
from dataclasses import replace
from typing import Any

import orjson
import pytest

from strata_git.serving.api.app import create_app
from strata_git.serving.errors import Unanswered
from strata_git.serving.logs import service_log
from strata_git.serving.router import Router
from tests.serving.api.application import PROVENANCE, Scores, application, ask, asking, service

MATRIX = {"name": "rows", "datatype": "FP64", "shape": [2, 2], "data": [2, 2, 0, 1]}
INFER = "/v2/models/churn/infer"


@pytest.fixture(scope="module")
def app() -> Any:
    return application()


def test_what_the_server_and_the_model_are(app: Any) -> None:
    assert ask(app, "/v2").json["extensions"] == ["binary_tensor_data"]
    assert ask(app, "/v2/").status == 200
    assert (ask(app, "/v2/health/live").json, ask(app, "/v2/health/ready").json) == ({"live": True}, {"ready": True})
    named = [
        ask(app, f"/v2/models/{name}").json for name in ("churn", "scoring", "churn/versions/v3", "churn/versions/3")
    ]
    column = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("sepal", "petal")]
    score = [{"name": "score", "datatype": "FP64", "shape": [-1]}]
    assert named == [{"name": "churn", "versions": ["v3"], "platform": "onnxruntime_onnx", "inputs": column,
                      "outputs": score}] * 4  # fmt: skip
    assert ask(app, "/v2/models/churn/ready").json == {"name": "churn", "ready": True}
    for path in ("/v2/models/other", "/v2/models/churn/versions/v4", "/v2/models/other/ready", "/v2/nothing"):
        got = ask(app, path)
        assert (got.status, isinstance(got.json["error"], str)) == (404, True)
    assert ask(app, "/v2/models/other/infer", {"inputs": [MATRIX]}).status == 404
    assert ask(app, "/v2/models/churn/infer").status == 405


def test_tensors_come_and_go_as_json_and_as_bytes(app: Any) -> None:
    columns = [{"name": "sepal", "datatype": "FP64", "shape": [2, 1], "data": [[2], [0]]},
               {"name": "petal", "datatype": "INT32", "shape": [2], "data": [2, 1]}]  # fmt: skip
    for inputs in ([MATRIX], columns):
        said = ask(app, INFER, {"id": "7", "inputs": inputs}).json
        assert (said["id"], said["model_name"], said["model_version"]) == ("7", "churn", "v3")
        assert said["parameters"]["strata-model"] == "churn@v3"
        assert said["outputs"] == [{"name": "score", "datatype": "FP64", "shape": [2], "data": [10.0, 3.0]}]
    head = orjson.dumps({
        "inputs": [{"name": "rows", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}],
        "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
    })  # fmt: skip
    got = ask(
        app, INFER, head + struct.pack("<ff", 2, 2), Inference_Header_Content_Length=str(len(head)),
        content_type="application/octet-stream",
    )  # fmt: skip
    length = int(got.headers["inference-header-content-length"])
    assert struct.unpack("<d", got.body[length:]) == (10.0,)
    assert orjson.loads(got.body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 8}


@pytest.mark.parametrize(("body", "status"), [
    ({"inputs": []}, 422), ({}, 400), ([], 400), ({"inputs": [{**MATRIX, "shape": [2, 3]}]}, 422),
    ({"inputs": [{**MATRIX, "datatype": "FP128"}]}, 422), ({"inputs": [MATRIX, MATRIX]}, 422),
    ({"inputs": [{**MATRIX, "shape": [-1, 2]}]}, 422), ({"inputs": [{**MATRIX, "data": None}]}, 422),
    ({"inputs": [MATRIX], "outputs": [{"name": "other"}]}, 422), ({"inputs": [{**MATRIX, "shape": [10**9] * 9}]}, 422),
    ({"inputs": [{**MATRIX, "shape": [10**6, 10**6]}]}, 413),
])  # fmt: skip
def test_what_is_refused_is_told_as_the_protocol_does(app: Any, body: object, status: int) -> None:
    got = ask(app, INFER, body)
    assert (got.status, list(got.json), type(got.json["error"])) == (status, ["error"], str)


def test_canaries_answer_by_their_share_by_their_name_and_are_passed_over_when_they_are_not_there() -> None:
    newer = replace(PROVENANCE, version="v4")
    canary = Scores(provenance=newer, answer=lambda table: {"score": table.matrix("float64")[:, 0] * 0})

    async def main(percent: int) -> Any:
        return create_app(service(), Router(Scores(), canaries=[(canary, percent)]))

    app = asyncio.run(main(100))
    assert ask(app, INFER, {"inputs": [MATRIX]}).json["model_version"] == "v4"
    got = ask(app, "/v2/models/churn/versions/v3/infer", {"inputs": [MATRIX]})
    assert (got.json["model_version"], got.headers["strata-model"]) == ("v3", "churn@v3")
    assert ask(app, "/provenance").json["routes"] == [{"mode": "canary", "percent": 100, "model": "churn@v4"}]
    canary.error = Unanswered("gone", status=503)
    got = ask(app, "/predict", {"records": [{"sepal": 2, "petal": 2}]})
    assert (got.status, got.headers["strata-model"], got.json["predictions"]) == (200, "churn@v3", [{"score": 10.0}])
    assert ask(app, "/v2/models/churn/versions/v4/infer", {"inputs": [MATRIX]}).status == 503


def test_predictions_over_grpc_are_counted_with_the_others() -> None:
    import grpc.aio

    from strata_git.serving import oip
    from strata_git.serving.grpc_front import start_front

    async def main() -> None:
        app = application()
        shared = app.context
        front = await start_front(
            shared.service, shared.router, shared.authenticator, host="127.0.0.1", port=0,
            observe=shared.observe, keep=shared.keep,
        )  # fmt: skip
        request = oip.message("ModelInferRequest", model_name="churn")
        request.inputs.add(name="rows", datatype="FP64", shape=[2, 2]).contents.fp64_contents.extend([2, 2, 0, 1])
        async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
            await oip.Client(channel).call("ModelInfer", request, timeout=10)
            assert (await oip.Client(channel).call("ServerReady", oip.message("ServerReadyRequest"), timeout=10)).ready
        await front.stop(1)
        text = (await asking(app, "/metrics")).body.decode()
        assert 'strata_prediction_rows_total{model="churn@v3"} 2.0' in text
        assert 'strata_grpc_calls_total{code="OK",method="ModelInfer"} 1.0' in text

    told = io.StringIO()
    with service_log("json", "info", told):
        asyncio.run(main())
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [(one["message"], one["rows"]) for one in lines if "gRPC" in one["message"]] == [("gRPC ModelInfer OK", 2)]
