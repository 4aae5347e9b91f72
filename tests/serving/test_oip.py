"""The protocol's messages without generated code: what protoc makes of the same text, and what others' clients say."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.serving import oip, oip_grpc, oip_proto
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.errors import RequestError
from strata_git.serving.tensors import Tensor, to_table
from tests.serving.models import LINEAR, linear

MODEL = "forest"


def handlers() -> Any:
    """A server of the linear model, as small as it can be."""
    import grpc

    model = OnnxModel(linear(), LINEAR)

    def infer(request: Any, context: Any) -> Any:
        try:
            table = to_table(oip_grpc.read_request(request), LINEAR)
        except RequestError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        return oip_grpc.write_response(model.predict(table), LINEAR.outputs, request, model=MODEL, version="v1")

    return oip.server_handlers({
        "ServerLive": lambda request, context: oip.message("ServerLiveResponse", live=True),
        "ServerReady": lambda request, context: oip.message("ServerReadyResponse", ready=True),
        "ModelReady": lambda request, context: oip.message("ModelReadyResponse", ready=request.name == MODEL),
        "ServerMetadata": lambda request, context: oip.message("ServerMetadataResponse", name="strata"),
        "ModelMetadata": lambda request, context: oip_grpc.model_metadata(request.name, "v1", LINEAR, "onnx"),
        "ModelInfer": infer,
    })  # fmt: skip


@pytest.fixture
def address(tmp_path: Path) -> Any:
    import grpc

    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_the_messages_are_in_no_pool_of_others() -> None:
    from google.protobuf import descriptor_pool

    assert set(oip.METHODS) == {
        "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer",
    }  # fmt: skip
    assert {name for pair in oip.METHODS.values() for name in pair} <= set(oip.messages())
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindFileByName(oip_proto.FILE)
    with pytest.raises(KeyError):
        oip.server_handlers({"ModelTrain": lambda request, context: None})
    assert "service GRPCInferenceService {" in oip.proto_text()


def test_our_client_and_server(address: str) -> None:
    import grpc

    with grpc.insecure_channel(address) as channel:
        client = oip.Client(channel)
        assert client.call("ServerLive", oip.message("ServerLiveRequest"), timeout=10).live
        columns = [Tensor("sepal", "FP64", np.array([2.0])), Tensor("petal", "INT32", np.array([2], dtype=np.int32))]
        answer = client.call("ModelInfer", oip_grpc.write_request(MODEL, "v1", columns), timeout=10)
        assert [one.array.tolist() for one in oip_grpc.read_response(answer)] == [[10.0]]
        with pytest.raises(grpc.RpcError) as error:
            client.call("ModelInfer", oip_grpc.write_request(MODEL, "v1", columns[:1]), timeout=10)
        assert "petal: is missing" in str(error.value)


@pytest.mark.heavy
def test_the_same_client_does_not_block_on_an_asynchronous_channel(address: str) -> None:
    import asyncio

    import grpc.aio

    async def ask() -> Any:
        async with grpc.aio.insecure_channel(address) as channel:
            columns = [Tensor("all", "FP32", np.array([[2, 2]], dtype=np.float32))]
            return await oip.Client(channel).call(
                "ModelInfer", oip_grpc.write_request(MODEL, "v1", columns), timeout=10
            )

    assert oip_grpc.read_response(asyncio.run(ask()))[0].array.tolist() == [10.0]


@pytest.mark.heavy
def test_protoc_makes_the_same_of_the_text(tmp_path: Path) -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    (tmp_path / oip_proto.FILE).write_text(oip.proto_text())
    made = tmp_path / "made"
    words = ["-m", "grpc_tools.protoc", f"-I{tmp_path}", f"--descriptor_set_out={made}", oip_proto.FILE]
    subprocess.run([sys.executable, *words], check=True)
    (file,) = FileDescriptorSet.FromString(made.read_bytes()).file
    assert file == oip_proto.file_descriptor()


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore:Protobuf gencode version")
def test_tritonclient_in_the_same_process(address: str) -> None:
    import tritonclient.grpc as triton
    from tritonclient.grpc import service_pb2

    ours = oip_grpc.write_request(MODEL, "v1", [Tensor("x", "BYTES", np.array(["a"], dtype=object))])
    wire = ours.SerializeToString(deterministic=True)
    assert service_pb2.ModelInferRequest.FromString(wire).SerializeToString(deterministic=True) == wire
    client = triton.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.get_server_metadata().name == "strata"
    assert [one.name for one in client.get_model_metadata(MODEL).inputs] == ["sepal", "petal"]
    columns = []
    for name in LINEAR.names:
        column = triton.InferInput(name, [2], "FP64")
        column.set_data_from_numpy(np.array([2.0, 3.0]))
        columns.append(column)
    answer = client.infer(MODEL, columns, outputs=[triton.InferRequestedOutput("score")])
    assert answer.as_numpy("score").tolist() == [10.0, 15.0]
    client.close()
