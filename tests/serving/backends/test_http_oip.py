"""Foreign servers of the protocol, whatever HTTP they speak: adapted to, held to the signature, never believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving import oip_rest
from strata_git.serving.backends.http_exchange import Address, Exchange, Unreachable
from strata_git.serving.backends.http_oip import HttpOip
from strata_git.serving.columns import Table, signature_of
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.tensors import to_table
from tests.serving.models import LINEAR, MIXED
from tests.serving.stand_ins import Fake, provenance, rows, scores

Reply = tuple[int, dict[str, str], bytes]
Answer = Callable[[str, dict[str, str], bytes], Reply]


class Server:
    """HTTP/1.1 by hand: `answer` says what comes back; `manner` how it is put on the wire."""

    def __init__(self, answer: Answer, manner: str = "length") -> None:
        self.answer = answer
        self.manner = manner
        self.connections = 0
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                headers = {name.casefold(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.paths.append(first.split(" ")[1])
                self.headers.append(headers)
                status, more, data = self.answer(first, headers, body)
                writer.write(self._wire(status, more, data))
                await writer.drain()
                if headers.get("connection") == "close" or self.manner in ("end", "dropping"):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def _wire(self, status: int, more: dict[str, str], data: bytes) -> bytes:
        told = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        first = f"HTTP/1.1 {status} Whatever\r\n{told}"
        if self.manner == "chunked":
            parts = [data[at : at + 7] for at in range(0, len(data), 7)]
            chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts)
            return (
                f"HTTP/1.1 100 Continue\r\n\r\n{first}Transfer-Encoding: chunked\r\n\r\n".encode()
                + chunks
                + b"0\r\n\r\n"
            )
        if self.manner == "end":
            return f"{first}Connection: close\r\n\r\n".encode() + data
        return f"{first}Content-Length: {len(data)}\r\n\r\n".encode() + data


@asynccontextmanager
async def listening(place: Path, server: Server) -> AsyncIterator[str]:
    path = place / "http.sock"
    path.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(server, str(path)):
        yield f"unix:{path}"
        await asyncio.sleep(0.01)  # connections that were given back are heard to end


def model_server(model: Fake, *, inputs: Any = None, outputs: Any = None, name: str = "score", **more: Any) -> Answer:
    """What a sound server of the linear model answers."""
    columns = [{"name": one, "datatype": "FP64", "shape": [-1]} for one in LINEAR.names]

    def answer(first: str, headers: dict[str, str], body: bytes) -> Reply:
        if first.endswith("/ready HTTP/1.1"):
            return 200, {}, b""
        if not body:
            said = {"name": "forest", "inputs": columns if inputs is None else inputs, "outputs": outputs or []}
            return 200, {}, json.dumps(said).encode()
        tensors = oip_rest.read_request(body).tensors
        found = model.predict(to_table(tensors, LINEAR))["score"].tolist()
        tensor = {"name": name, "datatype": "FP64", "shape": [len(found), 1], "data": found}
        return 200, {}, json.dumps({"model_name": "forest", "outputs": [tensor], **more}).encode()

    return answer


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("h")


@pytest.mark.parametrize("manner", ["length", "chunked", "end"])
def test_whatever_http_they_speak(place: Path, manner: str) -> None:
    async def main() -> None:
        server = Server(model_server(Fake()), manner)
        async with listening(place, server) as address:
            made = HttpOip(address, LINEAR, provenance(), headers={"x-token": "secret"})
            await made.check()
            assert await made.ready()
            answers = await asyncio.gather(*(made.predict(rows(n, n + 1)) for n in range(4)))
            assert [scores(one) for one in answers] == [[2 * n, 2 * n + 2] for n in range(4)]
            for n in range(3):
                assert scores(await made.predict(rows(n))) == [2 * n]
            assert server.connections == (9 if manner == "end" else 4)
            assert server.headers[-1]["x-token"] == "secret"
            assert set(server.paths) == {f"/v2/models/forest{end}" for end in ("", "/ready", "/infer")}
            await made.close()
            assert not await made.ready()
            server.connections = 0
            fresh = HttpOip(address, LINEAR, provenance(), model="a b", version="3", keep=False)
            for n in range(3):
                await fresh.predict(rows(n))
            assert server.connections == 3  # a new connection each time
            assert server.headers[-1]["connection"] == "close"
            assert server.paths[-1] == "/v2/models/a%20b/versions/3/infer"
            await fresh.close()

    asyncio.run(main())


def test_servers_of_one_matrix_and_servers_that_do_not_fit(place: Path) -> None:
    async def main() -> None:
        server = Server(model_server(Fake()))
        async with listening(place, server) as address:
            matrix = {"name": "features", "datatype": "FP32", "shape": [-1, 2]}
            for inputs in ([matrix], []):
                server.answer = model_server(Fake(), inputs=inputs, outputs=[{"name": "y"}], name="y")
                made = HttpOip(address, LINEAR, provenance())
                await made.check()
                assert scores(await made.predict(rows(1, 2))) == [2, 4]
                await made.close()
            for inputs, outputs, words in (
                ([{**matrix, "shape": [-1, 3]}], [], "takes features"),
                ([{**matrix, "datatype": "INT32"}], [], "takes features"),
                ([matrix, {**matrix, "name": "other"}], [], "takes features, other"),
                (None, [{"name": "a"}, {"name": "b"}], "answers with a, b"),
            ):
                server.answer = model_server(Fake(), inputs=inputs, outputs=outputs)
                made = HttpOip(address, LINEAR, provenance())
                with pytest.raises(StrataError, match=words):
                    await made.check()
                await made.close()

    asyncio.run(main())


def test_columns_of_any_type_and_missing_values(place: Path) -> None:
    def answer(first: str, headers: dict[str, str], body: bytes) -> Reply:
        said = {one["name"]: one for one in json.loads(body)["inputs"]}
        assert said["plan"] == {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["é"]}
        assert said["trace"] == {"name": "trace", "datatype": "FP64", "shape": [1, 2], "data": [1.5, None]}
        found = {"name": "score", "datatype": "FP64", "shape": [1], "data": [None]}
        return 200, {}, json.dumps({"outputs": [found]}).encode()

    arrays = [
        np.array([1], dtype="int32"), np.array([1.5], dtype="float32"), np.array(["é"], dtype=object),
        np.array([True]), np.array([[1.5, np.nan]]),
    ]  # fmt: skip

    async def main() -> None:
        async with listening(place, Server(answer)) as address:
            made = HttpOip(address, MIXED, provenance())
            assert np.isnan((await made.predict(Table(MIXED.inputs, 1, arrays)))["score"]).all()
            await made.close()

    asyncio.run(main())


def test_whatever_goes_wrong_there_is_told_in_our_words(place: Path) -> None:
    def tensor(**fields: Any) -> bytes:
        said = {"name": "score", "datatype": "FP64", "shape": [1], "data": [1.0], **fields}
        return json.dumps({"outputs": [said]}).encode()

    cases: list[tuple[int, dict[str, str], bytes, type[StrataError], str]] = [
        (429, {"Retry-After": "7"}, b"", Unanswered, "does not answer now"),
        (503, {"Retry-After": "soon"}, b"", Unanswered, "does not answer now"),
        (504, {}, b"", Unanswered, "does not answer now"),
        (404, {}, b"", Unanswered, "does not have the model"),
        (500, {}, b"Traceback: 4711", PredictionError, "failed .HTTP 500"),
        (302, {"Location": "http://elsewhere"}, b"", PredictionError, "HTTP 302"),
        (422, {}, b'{"error": "sepal is \\u001b missing"}', RequestError, "sepal is .x1b missing"),
        (422, {}, b'{"error": {"field": "petal", "message": "is missing"}}', RequestError, "petal: is missing"),
        (400, {}, b"<html>", RequestError, "refuses"),
        (200, {}, b"not json", PredictionError, "no JSON object"),
        (200, {}, b"[]", PredictionError, "no JSON object"),
        (200, {}, b'{"outputs": [{"name": "score"}]}', PredictionError, "cannot be read"),
        (200, {}, b'{"outputs": [7]}', PredictionError, "cannot be read"),
        (200, {}, b'{"outputs": []}', PredictionError, "is missing"),
        (200, {}, tensor(shape=[2], data=[1, 2]), PredictionError, "not one value a row"),
        (200, {}, tensor(shape=[2]), PredictionError, "cannot be read"),
        (200, {}, tensor(datatype="BYTES", data=["x"]), PredictionError, "answers with object"),
        (200, {}, b'{"outputs": [], "parameters": {"strata-digest": "sha256:00"}}', Unanswered, "Another version"),
    ]

    async def main() -> None:
        server = Server(lambda *_: (200, {}, b""))
        async with listening(place, server) as address:
            made = HttpOip(address, LINEAR, provenance())
            for status, headers, body, kind, words in cases:
                server.answer = lambda *_, one=(status, headers, body): one  # type: ignore[misc]
                with pytest.raises(kind, match=words) as error:
                    await made.predict(rows(1))
                assert "4711" not in error.value.message
                if isinstance(error.value, Unanswered) and status == 429:
                    assert error.value.retry_after == 7
            server.answer = model_server(Fake())
            strict = HttpOip(address, LINEAR, provenance(), digest=True)
            with pytest.raises(Unanswered, match="Another version"):
                await strict.predict(rows(1))
            server.answer = model_server(Fake(), parameters={"strata-digest": provenance().digest})
            assert scores(await strict.predict(rows(1))) == [2]
            for one in (made, strict):
                await one.close()
        with pytest.raises(Unanswered, match="not there") as gone:
            await HttpOip(address, LINEAR, provenance()).predict(rows(1))
        assert gone.value.status == 503

    asyncio.run(main())


def test_silence_nonsense_and_connections_that_end(place: Path) -> None:
    async def main() -> None:
        garbage = [b""]

        async def wild(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if not garbage[0]:
                await reader.read()  # until the other end has had enough
            writer.write(garbage[0])
            writer.close()
            await writer.wait_closed()

        path = place / "wild.sock"
        async with await asyncio.start_unix_server(wild, str(path)):
            made = HttpOip(f"unix:{path}", LINEAR, provenance())
            with pytest.raises(Unanswered) as late:
                await made.predict(rows(1), timeout=0.02)
            assert late.value.status == 504
            for garbage[0] in (
                b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"x" * 200_000, b"HTTP/1.1 200",
            ):  # fmt: skip
                with pytest.raises(Unanswered) as gone:
                    await made.predict(rows(1), timeout=5)
                assert gone.value.status == 503
        # a kept connection that the server has ended meanwhile is no failure
        server = Server(model_server(Fake()), "dropping")
        async with listening(place, server) as address:
            exchange = Exchange(Address.parse(address))
            for _ in range(3):
                assert (await exchange.ask("GET", "/v2/models/forest")).status == 200
                await asyncio.sleep(0.01)
            with pytest.raises(Unreachable, match="ValueError"):
                await _oversized(address)
            with pytest.raises(ValueError, match="one line"):
                await exchange.ask("GET", "/", headers={"x": "a\r\nb: c"})
            await exchange.close()

    asyncio.run(main())


async def _oversized(address: str) -> None:
    await Exchange(Address.parse(address), most=10).ask("GET", "/v2/models/forest")


def test_addresses() -> None:
    assert Address.parse("http://127.0.0.1:8000/base/") == Address(host="127.0.0.1", port=8000, base="/base")
    assert Address.parse("https://[::1]") == Address(host="::1", port=443, secure=True)
    assert Address.parse("https://[::1]").authority == "[::1]:443"
    assert Address.parse("unix:///run/m.sock") == Address.parse("unix:/run/m.sock") == Address(socket="/run/m.sock")
    for text in ("ftp://host", "http://", "localhost:80", "http://host:99999", "http://u:p@host", "http://host?x=y"):
        with pytest.raises(StrataError, match="no address"):
            Address.parse(text)
    with pytest.raises(StrataError, match="no address"):
        HttpOip("nowhere", signature_of({"signature": {"inputs": [{"name": "a", "type": "int"}], "outputs": [
            {"name": "b", "type": "int"}]}}), provenance())  # fmt: skip
