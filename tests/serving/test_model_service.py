"""A model-service and who asks it: the same answers as in one process, errors in the same words, over one socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import numpy as np
import pytest

from strata_git.contracts.service import Batch, Limits
from strata_git.errors import StrataError
from strata_git.serving import health, oip, oip_grpc
from strata_git.serving.backends.grpc import GrpcBackend
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import Table
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.model_service import __main__ as program
from strata_git.serving.model_service.server import ModelServer, start_server
from strata_git.serving.model_service.servicer import Asked, Servicer
from strata_git.serving.tensors import Tensor
from tests.serving.models import LINEAR, linear
from tests.serving.stand_ins import Fake, provenance, rows, scores

HEALTH = f"/{health.SERVICE}/Check"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


@contextmanager
def serving(model: Any, place: Path, version: str = "v1", **limits: int) -> Iterator[tuple[str, ModelServer]]:
    address = f"unix:{place / version}.sock"
    asked = Limits(**{"drain_ms": 2000, **limits})
    server = start_server(Servicer(model, provenance(version), Asked(Batch(), asked)), address, limits=asked)
    yield address, server
    server.stop()


def backend(*addresses: str, version: str = "v1") -> GrpcBackend:
    return GrpcBackend(addresses, LINEAR, provenance(version))


def test_the_same_answers_as_in_one_process_on_a_socket_of_ones_own(place: Path) -> None:
    model = OnnxModel(linear(), LINEAR)
    table = Table(LINEAR.inputs, 3, matrix=np.array([[1.0, 2.0], [3.5, 4.0], [1e-3, 1e3]]))

    class Sure(Fake):
        def predict(self, table: Table) -> dict[str, Any]:
            return {**super().predict(table), "probabilities": np.ones((table.rows, 2), dtype="float32")}

    async def main() -> None:
        with serving(model, place) as (address, server), serving(Sure(), place, "v2") as (other, _):
            assert Path(address.removeprefix("unix:")).stat().st_mode & 0o777 == 0o600
            asked, more = backend(address), backend(other, version="v2")
            assert await asked.ready()
            found = await asked.predict(table, timeout=5)
            assert found["score"].dtype == np.float64
            assert scores(found) == scores(model.predict(table))
            whole = await more.predict(rows(1, 2))
            assert {name: array.shape for name, array in whole.items()} == {"score": (2,), "probabilities": (2, 2)}
            server.stop()
            assert not await asked.ready()
            with pytest.raises(Unanswered) as error:
                await asked.predict(table, timeout=5)
            assert (error.value.status, error.value.retry_after) == (503, 1)
            await asked.close()
            with pytest.raises(Unanswered):
                await asked.predict(table)
            await more.close()

    asyncio.run(main())


def test_what_fails_there_is_told_here_in_the_same_words(place: Path) -> None:
    async def main() -> None:
        with serving(Fake(), place, rows=4) as (address, _):
            asked = backend(address)
            for value, words in ((-1, "ValueError"), (-2, "ZeroDivisionError")):
                with pytest.raises(PredictionError, match=words) as failed:
                    await asked.predict(rows(value))
                assert "secret" not in failed.value.message
            with pytest.raises(RequestError, match="more than 4 rows") as error:
                await asked.predict(rows(1, 2, 3, 4, 5))
            assert error.value.field == "rows"
            with pytest.raises(RequestError, match="row 1"):
                await asked.predict(rows(1, float("nan")))
            stranger = GrpcBackend(address, LINEAR, provenance("v9"))
            with pytest.raises(Unanswered) as gone:
                await stranger.predict(rows(1))
            assert gone.value.status == 503
            await asked.close()
            await stranger.close()

    asyncio.run(main())


def test_an_answer_of_another_version_is_never_passed_on(place: Path) -> None:
    from dataclasses import replace

    async def main() -> None:
        with serving(Fake(), place) as (address, _):
            changed = GrpcBackend(address, LINEAR, replace(provenance(), digest=f"sha256:{'0' * 64}"))
            with pytest.raises(Unanswered, match="Another version answers"):
                await changed.predict(rows(1))
            await changed.close()

    asyncio.run(main())


def test_deadlines_travel_and_what_nobody_waits_for_is_not_computed(place: Path) -> None:
    model = Fake(slow=0.01)

    async def main() -> None:
        with serving(model, place, queue=1) as (address, _):
            asked = backend(address)
            model.hold.clear()
            model.entered.clear()
            model.calls.clear()
            first = asyncio.create_task(asked.predict(rows(1), timeout=20))
            while not model.entered.is_set():
                await asyncio.sleep(0.001)
            with pytest.raises(Unanswered) as late:
                await asked.predict(rows(2), timeout=0.05)
            assert late.value.status == 504
            with pytest.raises(Unanswered) as full:
                await asked.predict(rows(3), timeout=5)  # the one before has its place in the queue still
            assert full.value.status == 429
            model.hold.set()
            assert scores(await first) == [2]
            assert scores(await asked.predict(rows(4), timeout=5)) == [8]
            assert model.calls == [1, 1]
            await asked.close()

    asyncio.run(main())


def test_of_several_the_least_busy_one_answers_and_one_that_is_gone_is_passed_over(place: Path) -> None:
    left, right = Fake(held=True), Fake()

    async def main() -> None:
        first, second = place / "a", place / "b"
        first.mkdir()
        second.mkdir()
        left.hold.set()
        with serving(left, first) as (one, _), serving(right, second) as (two, stopped):
            asked = backend(one, two)
            left.hold.clear()
            left.calls.clear()
            right.calls.clear()
            waiting = asyncio.create_task(asked.predict(rows(1)))
            await asyncio.to_thread(left.entered.wait, 20)
            for n in range(5):
                assert scores(await asked.predict(rows(n))) == [2 * n]
            assert right.calls == [1] * 5
            left.hold.set()
            assert scores(await waiting) == [2]
            stopped.stop()
            assert [scores(await asked.predict(rows(n), timeout=5)) for n in range(6)] == [[2 * n] for n in range(6)]
            with serving(right, second):  # begun again on the same socket
                for _ in range(200):
                    right.calls.clear()
                    await asyncio.gather(*(asked.predict(rows(n), timeout=5) for n in range(4)))
                    if right.calls:
                        break
                    await asyncio.sleep(0.02)
                assert right.calls
            await asked.close()

    asyncio.run(main())


def test_stock_clients_and_hostile_messages(place: Path) -> None:
    model = OnnxModel(linear(), LINEAR)
    with (
        serving(model, place, body_bytes=1024, rows=100) as (address, server),
        grpc.insecure_channel(address) as channel,
    ):
        client = oip.Client(channel)
        request, response = health.messages()
        check = channel.unary_unary(
            HEALTH, request_serializer=lambda one: one.SerializeToString(), response_deserializer=response.FromString
        )
        assert check(request()).status == health.SERVING
        assert client.call("ServerLive", oip.message("ServerLiveRequest")).live
        assert client.call("ServerReady", oip.message("ServerReadyRequest")).ready
        assert client.call("ServerMetadata", oip.message("ServerMetadataRequest")).name == "git-strata model-service"
        for name, version, ready in (
            ("forest", "", True),
            ("forest", "1", True),
            ("forest", "v2", False),
            ("x", "", False),
        ):
            asked = oip.message("ModelReadyRequest", name=name, version=version)
            assert client.call("ModelReady", asked).ready is ready
        told = client.call("ModelMetadata", oip.message("ModelMetadataRequest", name="forest"))
        assert [(one.name, one.datatype, list(one.shape)) for one in told.inputs] == [
            ("sepal", "FP64", [-1]), ("petal", "FP64", [-1]),
        ]  # fmt: skip
        columns = [Tensor("petal", "FP64", np.array([1.0])), Tensor("sepal", "FP32", np.array([2.0], dtype="float32"))]
        answer = client.call("ModelInfer", oip_grpc.write_request("forest", "", columns))
        assert oip_grpc.read_response(answer)[0].array.tolist() == [7.0]
        assert (answer.model_version, answer.parameters["strata-digest"].string_param) == ("v1", provenance().digest)
        assert_refused(client)
        large = oip_grpc.write_request("forest", "", [Tensor("rows", "FP64", np.zeros((200_000, 2)))])
        with pytest.raises(grpc.RpcError) as error:
            client.call("ModelInfer", large)
        assert error.value.code().name == "RESOURCE_EXHAUSTED"
        server.stop()
        with pytest.raises(grpc.RpcError):
            check(request(), timeout=5)


def assert_refused(client: oip.Client) -> None:
    """Every broken request is answered by INVALID_ARGUMENT or NOT_FOUND, and says nothing of values."""

    def infer(**fields: Any) -> Any:
        return oip.message("ModelInferRequest", model_name="forest", **fields)

    def tensor(**fields: Any) -> dict[str, Any]:
        return {"name": "rows", "datatype": "FP64", "shape": [1, 2], **fields}

    cases: list[tuple[Any, list[bytes]]] = [
        (infer(), []),
        (infer(inputs=[tensor()]), []),
        (infer(inputs=[tensor(shape=[2, 1])]), [b"\0" * 16]),
        (infer(inputs=[tensor(shape=[-1, 2])]), [b"\0" * 16]),
        (infer(inputs=[tensor(shape=[1 << 62, 1 << 62])]), [b"\0" * 16]),
        (infer(inputs=[tensor(shape=[0, 2])]), [b""]),
        (infer(inputs=[tensor(shape=[1] * 40)]), [b"\0" * 8]),
        (infer(inputs=[tensor(datatype="FP65")]), [b"\0" * 16]),
        (infer(inputs=[tensor(datatype="BYTES")]), [b"\xff" * 16]),
        (infer(inputs=[tensor()]), [b"\0" * 15]),
        (infer(inputs=[tensor()]), [b"\0" * 16, b""]),
        (infer(inputs=[tensor()]), [np.array([1.0, np.inf]).tobytes()]),
        (infer(inputs=[tensor(shape=[101, 2])]), [b"\0" * 1616]),
        (infer(inputs=[tensor(), tensor()]), [b"\0" * 16] * 2),
        (infer(inputs=[tensor(name="sepal", shape=[1]), tensor(name="petal", shape=[2])]), [b"\0" * 8, b"\0" * 16]),
        (infer(inputs=[tensor()], outputs=[{"name": "absent"}]), [b"\0" * 16]),
        (infer(inputs=[tensor(contents={"fp64_contents": [1, 2]})]), [b"\0" * 16]),
        (infer(inputs=[tensor(contents={"int_contents": [1, 2]})]), []),
        (oip.message("ModelInferRequest", model_name="nobody"), []),
        (infer(model_version="v2"), []),
    ]  # fmt: skip
    for request, raw in cases:
        request.raw_input_contents.extend(raw)
        with pytest.raises(grpc.RpcError) as error:
            client.call("ModelInfer", request, timeout=5)
        assert error.value.code().name in ("INVALID_ARGUMENT", "NOT_FOUND"), (request, error.value.details())
        assert "Error" not in (error.value.details() or "")


def test_what_waits_at_a_slow_model_goes_together(place: Path) -> None:
    model = Fake(slow=0.01)
    with (
        serving(model, place) as (address, _),
        grpc.insecure_channel(address) as channel,
        ThreadPoolExecutor(16) as many,
    ):
        client = oip.Client(channel)
        model.calls.clear()

        def ask(n: int) -> list[float]:
            tensor = Tensor("rows", "FP64", np.array([[n, 0.0]]))
            answer = client.call("ModelInfer", oip_grpc.write_request("forest", "", [tensor]), timeout=20)
            found: list[float] = oip_grpc.read_response(answer)[0].array.tolist()
            return found

        assert list(many.map(ask, range(64))) == [[2.0 * n] for n in range(64)]
        assert sum(model.calls) == 64
        assert len(model.calls) < 32


def test_what_waits_together_is_answered_before_the_end(place: Path) -> None:
    model = Fake(slow=0.01)

    async def main() -> None:
        with serving(model, place) as (address, _):
            asked = GrpcBackend(address, LINEAR, provenance(), batch=Batch(), limits=Limits(drain_ms=5000))
            await asked.predict(rows(0), timeout=20)
            model.calls.clear()
            tasks = [asyncio.create_task(asked.predict(rows(n), timeout=20)) for n in range(40)]
            await asyncio.sleep(0.005)
            await asked.close()
            assert [scores(one) for one in await asyncio.gather(*tasks)] == [[2 * n] for n in range(40)]
            assert model.calls == [1, 39]
            with pytest.raises(Unanswered):
                await asked.predict(rows(1))

    asyncio.run(main())


def test_what_is_no_bundle_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_stopping", Event)  # signals and standard input are this process's own
    monkeypatch.setattr("os.environ", {"STRATA_BUNDLE": "0" * 64})
    assert program.main(["--bundle", str(place), "--socket", str(place / "b.sock")]) == 2
    told = json.loads(capsys.readouterr().out)["refused"]
    assert (told["step"], [one["verdict"] for one in told["steps"]]) == ("bundle", ["refused"])


def test_addresses_that_cannot_be_had(place: Path) -> None:
    (place / "file").write_text("not a socket")
    servicer, limits = Servicer(Fake(), provenance(), Asked(Batch(), Limits())), Limits()
    with pytest.raises(StrataError, match="no socket"):
        start_server(servicer, f"unix:{place / 'file'}", limits=limits)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StrataError, match="cannot be listened on"):
            start_server(servicer, f"127.0.0.1:{taken.getsockname()[1]}", limits=limits)
