"""The service's door for gRPC: stock clients get what HTTP gives, callers are judged, and nobody is told a value."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

from strata_git.contracts.base import parse
from strata_git.contracts.service import Service
from strata_git.errors import StrataError
from strata_git.load import load_yaml
from strata_git.serving import health, oip, oip_grpc
from strata_git.serving.api.auth import Authenticator
from strata_git.serving.backends.grpc_status import status_of
from strata_git.serving.backends.in_process import InProcess
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import DATATYPES
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.grpc_front import Front, start_front
from strata_git.serving.router import Router
from strata_git.serving.tensors import Tensor
from tests.serving.models import LINEAR, linear
from tests.serving.stand_ins import Fake, provenance
from tests.support.fixtures import ROOT

KEY = "a key that only clients know"


def service(more: str = "") -> Service:
    text = f"schema: strata/service/v1\nname: shop\nmodel: forest@production\n{more}"
    return parse(Service, load_yaml(text.encode()))


@asynccontextmanager
async def answering(router: Router, told: Service, **options: Any) -> AsyncIterator[tuple[Front, str]]:
    front = await start_front(told, router, Authenticator(told.api.auth), host="127.0.0.1", port=0, **options)
    yield front, f"127.0.0.1:{front.port}"
    await front.stop()
    await router.close()


def request(*values: float, version: str = "", name: str = "forest") -> Any:
    return oip_grpc.write_request(name, version, [Tensor("features", "FP64", np.array([values]))])


def test_answers_and_where_they_come_from() -> None:
    seen: list[tuple[str, str, int]] = []

    async def main() -> None:
        first = InProcess(OnnxModel(linear(), LINEAR), provenance())
        canary = InProcess(Fake(9), provenance("v2"))
        router = Router(first, canaries=[(canary, 0)])
        kept: list[str] = []
        observe = lambda method, code, seconds, rows: seen.append((method, code, rows))  # noqa: E731
        front = answering(router, service(), observe=observe, keep=lambda identity, *_: kept.append(identity))
        async with front as (_, address), grpc.aio.insecure_channel(address) as channel:
            client = oip.Client(channel)
            call = client.call("ModelInfer", request(2, 2), metadata=(("x-request-id", "7"),))
            answer = await call
            assert oip_grpc.read_response(answer)[0].array.tolist() == [10.0]
            assert answer.parameters["strata-model"].string_param == "forest@v1"
            assert answer.parameters["strata-signer"].string_param == "Alice Tester <alice@example.org>"
            assert dict(await call.initial_metadata())["strata-digest"] == provenance().digest
            other = await client.call("ModelInfer", request(2, 2, version="2", name="shop"))
            assert oip_grpc.read_response(other)[0].array.tolist() == [18.0]
            for said in ("r-7", "x" * 100_000):  # the log has it once a row: a long one is not taken
                named = request(2, 2)
                named.id = said
                assert (await client.call("ModelInfer", named)).id == said
            assert (kept[-2], len(kept[-1])) == ("r-7", 32)
            told = await client.call("ModelMetadata", oip.message("ModelMetadataRequest", name="shop"))
            assert (told.name, list(told.versions), told.platform) == ("shop", ["v1"], "onnx")
            assert (await client.call("ServerMetadata", oip.message("ServerMetadataRequest"))).name == "shop"
            checked, response = health.messages()
            check = channel.unary_unary(
                f"/{health.SERVICE}/Check", request_serializer=lambda one: one.SerializeToString(),
                response_deserializer=response.FromString,
            )  # fmt: skip
            for version, ready in (("", True), ("v2", True), ("v3", False)):
                asked = oip.message("ModelReadyRequest", name="forest", version=version)
                assert (await client.call("ModelReady", asked)).ready is ready
            assert (await check(checked())).status == health.SERVING
            await router.swap(None, reason="no version is in production")
            assert (await check(checked())).status == health.NOT_SERVING
            assert not (await client.call("ServerReady", oip.message("ServerReadyRequest"))).ready
            assert (await client.call("ServerLive", oip.message("ServerLiveRequest"))).live
            with pytest.raises(grpc.RpcError, match="no version is in production") as error:
                await client.call("ModelInfer", request(1, 1))
            assert error.value.code().name == "UNAVAILABLE"
            assert dict(error.value.trailing_metadata())["strata-retry-after"] == "1"
        assert ("ModelInfer", "OK", 1) in seen
        assert ("ModelInfer", "UNAVAILABLE", 0) in seen

    asyncio.run(main())


def test_who_may_ask() -> None:
    keys = f"api: {{auth: {{keys: [{{name: shop, sha256: {hashlib.sha256(KEY.encode()).hexdigest()}}}]}}}}"

    async def main() -> None:
        router = Router(InProcess(Fake(), provenance()))
        async with answering(router, service(keys)) as (_, address), grpc.aio.insecure_channel(address) as channel:
            client = oip.Client(channel)
            for metadata in ((), (("authorization", "Bearer wrong"),), (("x-api-key", KEY + "x"),)):
                for method, asked in (
                    ("ModelInfer", request(1, 1)),
                    ("ModelMetadata", oip.message("ModelMetadataRequest", name="forest")),
                    ("ModelReady", oip.message("ModelReadyRequest", name="forest")),
                    ("ServerMetadata", oip.message("ServerMetadataRequest")),
                ):  # fmt: skip
                    with pytest.raises(grpc.RpcError) as error:
                        await client.call(method, asked, metadata=metadata)
                    assert error.value.code().name == "UNAUTHENTICATED"
            assert (await client.call("ServerReady", oip.message("ServerReadyRequest"))).ready
            for header in (("authorization", f"Bearer {KEY}"), ("x-api-key", KEY)):
                answer = await client.call("ModelInfer", request(3, 1), metadata=(header,))
                assert oip_grpc.read_response(answer)[0].array.tolist() == [6.0]

    asyncio.run(main())


def test_limits_deadlines_and_errors() -> None:
    limits = "api: {limits: {rows: 2, body_bytes: 4096, deadline_ms: 200, queue: 1}}"

    async def main() -> None:
        model = Fake(slow=0.01)
        router = Router(InProcess(model, provenance(), None, service(limits).api.limits))
        async with answering(router, service(limits)) as (_, address), grpc.aio.insecure_channel(address) as channel:
            client = oip.Client(channel)
            many = oip_grpc.write_request("forest", "", [Tensor("x", "FP64", np.zeros((3, 2)))])
            large = oip_grpc.write_request("forest", "", [Tensor("x", "FP64", np.zeros((9000, 2)))])
            for asked, code in (
                (many, "INVALID_ARGUMENT"), (large, "RESOURCE_EXHAUSTED"), (request(1), "INVALID_ARGUMENT"),
                (request(1, 1, name="other"), "NOT_FOUND"), (request(1, 1, version="9"), "NOT_FOUND"),
                (request(1, float("inf")), "INVALID_ARGUMENT"), (request(-1, 0), "INTERNAL"),
                (request(-2, 0), "INTERNAL"),
            ):  # fmt: skip
                with pytest.raises(grpc.RpcError) as error:
                    await client.call("ModelInfer", asked)
                assert error.value.code().name == code
                assert "secret" not in (error.value.details() or "")
            model.hold.clear()
            model.entered.clear()
            first = asyncio.ensure_future(_code(client, request(1, 1)))
            await asyncio.to_thread(model.entered.wait, 20)
            short = asyncio.ensure_future(_code(client, request(1, 1), timeout=0.05))
            await asyncio.sleep(0.02)
            assert await _code(client, request(1, 1)) == "RESOURCE_EXHAUSTED"
            assert await short == "DEADLINE_EXCEEDED"
            assert await first == "DEADLINE_EXCEEDED"  # the service's own: 200 ms
            model.hold.set()

    asyncio.run(main())


async def _code(client: oip.Client, asked: Any, timeout: float | None = None) -> str:
    try:
        await client.call("ModelInfer", asked, timeout=timeout)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_a_port_that_is_taken() -> None:
    async def main() -> None:
        told, router = service(), Router()
        async with answering(router, told) as (front, _):
            with pytest.raises(StrataError, match="cannot be listened on"):
                await start_front(told, router, Authenticator(told.api.auth), host="127.0.0.1", port=front.port)

    asyncio.run(main())


def test_the_reference_tells_of_every_method_datatype_and_status() -> None:
    text = (ROOT / "docs/serving-grpc.md").read_text()
    for name in (*oip.METHODS, *DATATYPES.values(), *DATATYPES, *provenance().headers(), "grpc.health.v1.Health/Check"):
        assert name in text
    for error in (RequestError("x", field="y"), Unanswered("", status=429), Unanswered("", status=503),
                  Unanswered("", status=504), PredictionError("")):  # fmt: skip
        code, _, metadata = status_of(error)
        assert f"`{code}`" in text
        assert all(name in text for name, _ in metadata)


@pytest.mark.heavy
def test_stock_clients_of_both_kinds_of_contents() -> None:
    import tritonclient.grpc as triton

    def ask(address: str) -> None:
        client = triton.InferenceServerClient(address)
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("shop", "1")
        assert client.get_server_metadata().name == "shop"
        assert [one.name for one in client.get_model_metadata("forest").outputs] == ["score"]
        matrix = triton.InferInput("all", [2, 2], "FP32")
        matrix.set_data_from_numpy(np.array([[2, 2], [1, 0.5]], dtype="float32"))
        answer = client.infer("forest", [matrix], request_id="seven", client_timeout=20)
        assert answer.as_numpy("score").tolist() == [10.0, 3.5]
        said = answer.get_response()
        assert (said.id, said.model_version) == ("seven", "v1")
        assert said.parameters["strata-digest"].string_param == provenance().digest
        with pytest.raises(triton.InferenceServerException, match="must be of shape") as error:
            client.infer(
                "forest", [triton.InferInput("all", [1, 3], "FP32").set_data_from_numpy(np.zeros((1, 3), "f4"))]
            )
        assert error.value.status() == "StatusCode.INVALID_ARGUMENT"
        answers: list[Any] = []
        for _ in range(20):
            client.async_infer("forest", [matrix], callback=lambda result, error: answers.append((result, error)))
        until = time.monotonic() + 20
        while len(answers) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        assert [error for _, error in answers] == [None] * 20
        client.close()

    async def main() -> None:
        router = Router(InProcess(OnnxModel(linear(), LINEAR), provenance()))
        async with answering(router, service()) as (_, address):
            await asyncio.to_thread(ask, address)

    asyncio.run(main())
