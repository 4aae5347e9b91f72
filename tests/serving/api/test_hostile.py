"""A real server and people who are rude to it: nothing but documented answers, no value repeated, memory bounded."""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.serving.api.rude import CANARY, RECORD, Rude, every, stream
from tests.support.environment import sealed

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parent.parent.parent.parent
BODY = json.dumps({"records": [RECORD]}).encode()
HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
GOOD = HEAD + b"content-length: %d\r\n\r\n" % len(BODY)
MEMORY = 96 << 10
"""KiB by which the server may grow."""


@dataclass
class Served:
    """A server, and its port."""

    process: subprocess.Popen[str]
    port: int

    def peak(self) -> int:
        """The most memory that the process had, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def ask(self, rude: Rude) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(rude.method, rude.path, skip_host="host" in rude.headers, skip_accept_encoding=True)
            for name, value in {"content-length": str(len(rude.body)), **rude.headers}.items():
                connection.putheader(name, value.encode("latin-1"))
            connection.endheaders(rude.body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as one:
            yield one


@contextmanager
def serving(base: Path, *options: str) -> Iterator[Served]:
    """A server until the block ends; its log has nothing but lines of JSON, no value and no error of ours."""
    environ = sealed(base / "a", base / "gnupg", os.environ)
    log = base / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.api.server", *options], cwd=ROOT, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=stderr, env={**environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            port = process.stdout.readline()
            assert port, log.read_text()
            yield Served(process, int(port))
            assert process.poll() is None
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    text = log.read_text()
    assert CANARY not in text
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
    assert {json.loads(line).get("error") for line in text.splitlines()} <= {None, "PredictionError"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as one:
        arrow = {"content-type": "application/vnd.apache.arrow.stream"}
        assert one.ask(Rude("warm", "/predict", stream(), arrow))[0] == 200
        one.ask(Rude("warm", "/docs", b"", {}, "GET"))
        before = one.peak()
        yield one
        grown = one.peak() - before
        assert grown < MEMORY, f"{grown} KiB"


@pytest.fixture(scope="module")
def document(served: Served) -> Any:
    return json.loads(served.ask(Rude("", "/openapi.json", b"", {}, "GET"))[2])


def test_rude_requests_get_documented_answers(served: Served, document: Any) -> None:
    cases = list(every())
    assert len(cases) >= 400
    statuses: dict[int, int] = {}
    for rude in cases:
        status, headers, body = served.ask(rude)
        statuses[status] = statuses.get(status, 0) + 1
        operation = document["paths"].get(rude.path, {}).get(rude.method.lower())
        allowed = set(operation["responses"]) if operation else {"400", "404", "405", "421"}
        if rude.path not in document["paths"] and status == 200:  # the same path in other words
            assert rude.path in ("/predict?records=1",), rude
            continue
        if rude.method == "HEAD":
            allowed |= {"200"}
        assert str(status) in allowed, (rude.name, rude.path, status, body[:200])
        assert CANARY.encode() not in body, rude
        if status >= 400 and rude.method != "HEAD" and "x-request-id" in headers:
            error = json.loads(body)["error"]
            assert isinstance(error, str) == rude.path.startswith("/v2"), (rude, body)
            assert status < 500 or status == 504 or ("broken" in rude.body.decode() and status == 500), (
                rude.name,
                body,
            )
    assert {200, 400, 404, 405, 406, 413, 415, 421, 422, 500} <= set(statuses)


def test_generated_requests_keep_to_the_document(served: Served, document: Any) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, settings
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [content_type_conformance, response_headers_conformance, response_schema_conformance,
              status_code_conformance]  # fmt: skip
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://127.0.0.1:{served.port}")
    tried: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        tried.append(operation.label)
        statuses: list[int] = []
        many = 25 if operation.method == "post" else 2

        @settings(max_examples=many, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @schemathesis_given(operation)
        def holds(case: Any) -> None:
            statuses.append(case.call_and_validate(checks=checks).status_code)  # noqa: B023 - called at once

        holds()
        assert 200 in statuses, operation.label
        assert {status for status in statuses if status >= 500} <= {504}, operation.label
    assert len(tried) >= 15


def schemathesis_given(operation: Any) -> Any:
    """hypothesis' `given` with requests of one operation."""
    from hypothesis import given
    from schemathesis.generation import GenerationMode

    return given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))


# --- below HTTP


def read_all(one: socket.socket) -> bytes:
    told = b""
    try:
        while part := one.recv(65536):
            told += part
    except (ConnectionResetError, TimeoutError):
        pass
    return told


def test_who_has_closed_their_side_is_answered(served: Served) -> None:
    with served.connected() as one:
        one.sendall(GOOD + BODY)
        one.shutdown(socket.SHUT_WR)
        told = read_all(one)
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b'"score":41.0' in told
    with served.connected() as one:
        one.sendall(GOOD + BODY[:-4])
        one.shutdown(socket.SHUT_WR)
        assert b"200" not in read_all(one)[:20]


def test_slow_heads_and_slow_bodies_are_ended_and_others_are_answered_meanwhile(served: Served) -> None:
    opened = served.connected
    with opened() as idle, opened() as head, opened() as body, opened() as later:
        began = time.monotonic()
        head.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\n")
        body.sendall(GOOD + BODY[:10])
        later.sendall(GOOD + BODY)
        assert later.recv(100).startswith(b"HTTP/1.1 200")
        later.sendall(b"GET /ping HT")
        assert served.ask(Rude("", "/predict", BODY))[0] == 200
        assert (read_all(idle), read_all(head).split(b"\r\n")[0]) == (b"", b"HTTP/1.1 408 Request Timeout")
        assert read_all(body).startswith(b"HTTP/1.1 408 ")
        assert read_all(later).endswith(b"content-length: 0\r\n\r\n")
        assert time.monotonic() - began < 8


def test_what_is_too_much_is_refused_before_it_is_there(served: Served) -> None:
    before = served.peak()
    huge = HEAD
    with served.connected() as one:
        one.sendall(huge + b"expect: 100-continue\r\ncontent-length: 104857600\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 413 ")
    with served.connected() as one:  # 100 MB that are sent all the same: the sender reads why
        one.sendall(huge + b"content-length: 104857600\r\n\r\n")
        for _ in range(100):
            one.sendall(b" " * (1 << 20))
        assert one.recv(4096).startswith(b"HTTP/1.1 413 ")
        one.sendall(GOOD + BODY)
        assert b"HTTP/1.1 200 OK" in one.recv(4096)
    with served.connected() as one:  # and without saying how much
        one.sendall(huge + b"transfer-encoding: chunked\r\n\r\n")
        told = endless(one, b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 400)
        assert told.startswith(b"HTTP/1.1 413 ")
    with served.connected() as one:
        told = endless(one, b"x-a: " + b"y" * 4000 + b"\r\n", 2000, first=b"GET / HTTP/1.1\r\n")
        assert told[:12] in (b"HTTP/1.1 431", b"")
    with served.connected() as one:
        assert endless(one, b"/" * 65536, 500, first=b"GET /")[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
    assert served.peak() - before < MEMORY


def endless(one: socket.socket, part: bytes, times: int, first: bytes = b"") -> bytes:
    """What the server says to one who does not stop; it ends the connection at some time."""
    one.sendall(first)
    try:
        for _ in range(times):
            one.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return read_all(one)


@pytest.mark.parametrize("words", [
    b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GOOD.replace(b"content-length", b"content-length: 5\r\ncontent-length") + BODY,
    GOOD.replace(b"content-length", b"transfer-encoding: chunked\r\ncontent-length") + b"0\r\n\r\n",
    GOOD.replace(b"content-length: ", b"content-length: -") + BODY, GOOD.replace(b"content-length: ",
    b"content-length: +") + BODY,
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b\r\n\r\n", b"GET /\r\nhost: x\r\n\r\n", b"get / http/1.1\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
    (
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: eA==\r\n\r\n"
    ),
])  # fmt: skip
def test_what_is_no_http_hurts_nobody(served: Served, words: bytes) -> None:
    with served.connected() as one:
        one.sendall(words)
        one.shutdown(socket.SHUT_WR)
        told = read_all(one)
    assert not re.match(rb"HTTP/1.1 5", told)
    assert served.ask(Rude("", "/predict", BODY))[0] == 200


def test_noise_hurts_nobody(served: Served) -> None:
    chance = random.Random(11)
    whole = GOOD + BODY
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with served.connected() as one:
            one.sendall(bytes(data[: chance.randrange(len(data))]))
            if chance.random() < 0.5:
                one.shutdown(socket.SHUT_WR)
                assert not re.match(rb"HTTP/1.1 5", read_all(one))
    assert served.ask(Rude("", "/predict", BODY))[0] == 200


def test_the_other_parser_is_watched_as_well(tmp_path: Path) -> None:
    with serving(tmp_path, "--plain") as plain:
        assert plain.ask(Rude("", "/predict", BODY))[0] == 200
        test_who_has_closed_their_side_is_answered(plain)
        test_slow_heads_and_slow_bodies_are_ended_and_others_are_answered_meanwhile(plain)
        with plain.connected() as one:
            told = endless(one, b"x-a: " + b"y" * 4000 + b"\r\n", 2000, first=b"GET / HTTP/1.1\r\n")
            assert told[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
        assert plain.ask(Rude("", "/predict", BODY))[0] == 200


def test_requests_behind_each_other_are_answered_in_order(served: Served) -> None:
    bodies = [json.dumps({"records": [{**RECORD, "age": age}]}).encode() for age in range(30)]
    words = b"".join(
        GOOD.replace(b"content-length: %d" % len(BODY), b"content-length: %d" % len(one)) + one for one in bodies
    )
    with served.connected() as one:
        one.sendall(words)
        told = b""
        while told.count(b'"score"') < 30:
            told += one.recv(65536)
    assert [float(score) for score in re.findall(rb'"score":([\d.]+)', told)] == [age + 1.0 for age in range(30)]


def test_tritonclient_speaks_with_it(served: Served) -> None:
    import numpy as np

    client_of = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    client = client_of.InferenceServerClient(f"127.0.0.1:{served.port}")
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("churn", "v3")
        assert client.get_server_metadata()["name"] == "git-strata"
        assert client.get_model_metadata("churn")["inputs"][0] == {"name": "age", "datatype": "INT32", "shape": [-1]}
        arrays = {
            "age": np.array([[40], [41]], np.int32), "weight": np.array([[1], [2]], np.float32),
            "plan": np.array([["a"], ["Straße"]], object), "active": np.array([[True], [False]]),
            "trace": np.array([[1.0, 2.0], [3.0, 4.0]]),
        }  # fmt: skip
        kinds = {"age": "INT32", "weight": "FP32", "plan": "BYTES", "active": "BOOL", "trace": "FP64"}
        for binary in (True, False):
            inputs = []
            for name, array in arrays.items():
                one = client_of.InferInput(name, list(array.shape), kinds[name])
                one.set_data_from_numpy(array, binary_data=binary)
                inputs.append(one)
            asked = [client_of.InferRequestedOutput("score", binary_data=binary)]
            assert client.infer("churn", inputs, outputs=asked).as_numpy("score").tolist() == [41.0, 44.0]
        from tritonclient.utils import InferenceServerException

        with pytest.raises(InferenceServerException, match="is missing"):
            client.infer("churn", inputs[1:])
    finally:
        client.close()
