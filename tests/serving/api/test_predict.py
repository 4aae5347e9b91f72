"""`/predict` and `/invocations`: every shape and format, what is refused, and what is never said."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from functools import cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from strata_git.serving.api import formats
from strata_git.serving.api.formats import prepare
from strata_git.serving.errors import PredictionError, Unanswered
from strata_git.serving.router import Router
from tests.serving.api.application import RECORD, Got, Scores, application, ask, asking, service
from tests.serving.models import MIXED

ARROW = "application/vnd.apache.arrow.stream"
SECRET = 271828.18284
MIXED_RECORD = {"age": 40, "weight": 61.5, "plan": "basic", "active": True, "trace": [1.0, 2.0]}


@pytest.fixture(scope="module")
def app() -> Any:
    return application()


def arrow(columns: Any, **options: Any) -> bytes:
    """A stream of one batch."""
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def refused(got: Got, status: int, field: str | None, words: str) -> None:
    error = got.json["error"]
    assert (got.status, error["field"]) == (status, field), got.body
    assert words in error["message"]
    assert "271828" not in got.body.decode()


@pytest.mark.parametrize("body", [
    {"records": [RECORD, {"petal": 1, "sepal": 0}]},
    {"columns": {"petal": [2, 1], "sepal": [2.0, 0]}},
    {"split": {"columns": ["petal", "sepal"], "data": [[2, 2], [1, 0]]}},
    {"dataframe_split": {"columns": ["sepal", "petal"], "index": [7, 8], "data": [[2, 2], [0, 1]]}},
    {"dataframe_records": [RECORD, {"petal": 1, "sepal": 0}]},
    {"instances": [RECORD, {"petal": 1, "sepal": 0}]},
    {"inputs": {"sepal": [2, 0], "petal": [2, 1]}},
])  # fmt: skip
def test_rows_come_in_many_shapes(app: Any, body: object) -> None:
    got = ask(app, "/predict", body)
    assert (got.status, got.json) == (200, {"predictions": [{"score": 10.0}, {"score": 3.0}]})
    assert got.headers["strata-model"] == "churn@v3"
    assert got.headers["strata-signer"] == "Ada <ada@example.org>"


@pytest.mark.parametrize("body", [
    {"inputs": [[2, 2], [0, 1]]}, {"instances": [[2, 2], [0, 1]]}, {"inputs": [RECORD, {"sepal": 0, "petal": 1}]},
    {"dataframe_split": {"columns": ["sepal", "petal"], "data": [[2, 2], [0, 1]]}, "params": {}},
])  # fmt: skip
def test_invocations_speaks_as_mlflow_does(app: Any, body: object) -> None:
    assert ask(app, "/invocations", body).json == {"predictions": [10.0, 3.0]}
    refused(ask(app, "/invocations", {"inputs": [[1, 2]], "params": {"a": SECRET}}), 422, "params", "not taken")
    refused(ask(app, "/invocations", {"inputs": [[SECRET, "x"]]}), 422, "petal", "must be a number")


def test_what_comes_in_is_answered_in_kind_unless_accept_says_otherwise(app: Any) -> None:
    text = "\ufeffpetal,sepal\r\n2,2.0\r\n1e0, 0 \r\n\r\n".encode()
    stream = arrow({"sepal": pa.array([2.0, 0.0]), "petal": pa.array([2, 1])})
    bodies = {"text/csv": text, ARROW: stream, "application/json": orjson.dumps({"columns": {"sepal": [2, 0],
              "petal": [2, 1]}})}  # fmt: skip
    for kind, body in bodies.items():
        for accept in ("", "*/*", *bodies, "text/html, application/json;q=0.1", "text/*;q=0.5, image/png", "a;q=x,*/*"):
            got = ask(app, "/predict", body, content_type=kind, accept=accept)
            assert got.status == 200, got.body
            expected = {"": kind, "*/*": kind, "a;q=x,*/*": kind, "text/*;q=0.5, image/png": "text/csv"}.get(accept)
            expected = expected or ("application/json" if "json" in accept else accept)
            assert got.headers["content-type"].partition(";")[0] == expected
            assert told(got) == [10.0, 3.0]
    refused(ask(app, "/predict", text, content_type="text/csv", accept="image/png"), 406, "accept", "can be")
    refused(ask(app, "/predict", text, content_type="text/csv; charset=latin-1"), 415, "content-type", "UTF-8")
    refused(
        ask(app, "/predict", b"{}", content_type="application/x-www-form-urlencoded"), 415, "content-type", "must be"
    )
    refused(
        ask(app, "/predict", text, content_type="text/csv", content_encoding="gzip"), 415, "content-encoding", "not"
    )
    assert ask(app, "/predict", {"records": [RECORD]}, content_type="").status == 200


def told(got: Got) -> list[float]:
    """The scores, in whatever format."""
    kind = got.headers["content-type"].partition(";")[0]
    if kind == "text/csv":
        lines = got.body.decode().split("\r\n")
        assert lines[0] == "score"
        return [float(line) for line in lines[1:-1]]
    if kind == ARROW:
        return list(pa.ipc.open_stream(io.BytesIO(got.body)).read_all()["score"].to_pylist())
    return [row["score"] for row in got.json["predictions"]]


def test_probabilities_and_what_is_no_number_in_every_format() -> None:
    def answer(table: Any) -> Any:
        labels = np.array(["=cmd()", "b"], dtype=object)
        return {"label": labels, "probabilities": np.array([[0.25, np.nan], [1.0, 0.0]], dtype=np.float32)}

    app = application(Scores(answer=answer))
    body = {"records": [RECORD, RECORD]}
    assert ask(app, "/predict", body).json["predictions"][0] == {"label": "=cmd()", "probabilities": [0.25, None]}
    lines = ask(app, "/predict", body, accept="text/csv").body.decode().splitlines()
    assert lines == ["label,probabilities.0,probabilities.1", "'=cmd(),0.25,", "b,1.0,0.0"]
    table = pa.ipc.open_stream(io.BytesIO(ask(app, "/predict", body, accept=ARROW).body)).read_all()
    assert table["label"].to_pylist() == ["=cmd()", "b"]
    assert table["probabilities"].to_pylist()[1] == [1.0, 0.0]


def test_every_type_of_column_by_every_way() -> None:
    seen: list[Any] = []

    def answer(table: Any) -> Any:
        seen.append({name: array.tolist() for name, array in table.columns.items()})
        return {"score": np.ones(table.rows)}

    app = application(Scores(MIXED, answer=answer))
    assert ask(app, "/predict", {"records": [MIXED_RECORD]}).status == 200
    columns = {name: pa.array([value]) for name, value in MIXED_RECORD.items() if name != "trace"}
    trace = pa.array([[1.0, 2.0]], type=pa.list_(pa.float64(), 2))
    assert ask(app, "/predict", arrow({**columns, "trace": trace}), content_type=ARROW).status == 200
    assert seen[0] == seen[1] == {name: [value] for name, value in MIXED_RECORD.items()}
    refused(ask(app, "/predict", b"a\n1\n", content_type="text/csv"), 415, "trace", "send JSON")
    wrong = {"age": "x", "weight": None, "plan": 3, "active": 1, "trace": [1.0]}
    for name, value in wrong.items():
        assert ask(app, "/predict", {"records": [{**MIXED_RECORD, name: value}]}).json["error"]["field"] == name


@pytest.mark.parametrize(("text", "status", "words"), [
    (b"", 422, "no rows"), (b"sepal,petal\n", 422, "no rows"), (b"sepal,petal\n1\n", 422, "1 cells for 2"),
    (b"sepal,sepal\n1,2\n", 422, "twice"), (b"sepal\n1\n", 422, "is missing"), (b"sepal,petal,x\n1,2,3\n", 422,
    "not a"),
    (b"sepal,petal\n1,271828_1\n", 422, "must be a number"), (b'sepal,petal\n1,"2\n', 400, "no CSV"),
    (b"sepal,petal\n1,\n", 422, "missing"), (b"sepal,petal\nnan,2\n", 422, "NaN"), (b"\xff\xfe", 400, "UTF-8"),
    (b"sepal,petal\n1,\0\n", 400, "NUL"), (b"sepal,petal\n1,2\n" + b"1,2\n" * 9, 413, "more than 5 rows"),
])  # fmt: skip
def test_csv_that_is_refused(text: bytes, status: int, words: str) -> None:
    app = application(said={"api": {"limits": {"rows": 5}}})
    got = ask(app, "/predict", text, content_type="text/csv")
    assert (got.status, words in got.json["error"]["message"]) == (status, True), got.body


def test_arrow_that_is_refused() -> None:
    app = application(said={"api": {"limits": {"rows": 3}}})
    good = {"sepal": pa.array([1.0]), "petal": pa.array([1.0])}
    floats = pa.array([0.0] * 3000)
    cases: list[tuple[bytes, int, str]] = [
        (b"", 400, "no Arrow"), (b"\xff" * 64, 400, "no Arrow"), (arrow(good)[:60], 400, "no Arrow"),
        (arrow({"sepal": floats, "petal": floats}), 413, "more than 3 rows"),
        (arrow({"sepal": floats, "petal": floats}, compression="zstd"), 415, "compressed"),
        (arrow({**good, "sepal": pa.array(["a"]).dictionary_encode()}), 415, "dictionaries"),
        (arrow({**good, "sepal": pa.array([{"a": 1}])}), 415, "type that is not"),
        # a row of a million nulls takes no bytes
        (arrow({**good, "sepal": pa.FixedSizeListArray.from_arrays(pa.nulls(1 << 20), 1 << 20)}), 422, "of shape"),
        (arrow({**good, "sepal": pa.array(["271828"])}), 422, "datatype FP64"), (arrow({"sepal": floats[:1]}), 422,
        "missing"),
        (arrow({**good, "sepal": pa.array([None], pa.float64())}), 422, "missing"), (arrow({**good, "x": floats[:1]}),
        422, "not a"),
        (arrow({**good, "sepal": pa.array([np.nan])}), 422, "NaN"), (arrow({name: one[:0] for name,
        one in good.items()}), 422, "no rows"),
    ]  # fmt: skip
    for body, status, words in cases:
        got = ask(app, "/predict", body, content_type=ARROW)
        assert (got.status, words in got.json["error"]["message"]) == (status, True), got.body
        assert b"271828" not in got.body


def test_arrow_is_refused_in_one_sentence_where_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = arrow({"sepal": pa.array([1.0]), "petal": pa.array([1.0])})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused(ask(application(), "/predict", body, content_type=ARROW), 415, None, "has no pyarrow installed. Send")


def test_what_is_wrong_is_told_by_its_place_and_never_by_its_value(app: Any) -> None:
    cases: list[tuple[object, int, str | None, str]] = [
        (b"{", 400, None, "no JSON"), (b"[" * 100_000, 400, None, "no JSON"), (b"\xff", 400, None, "no JSON"),
        (b'{"records": [{"sepal": NaN, "petal": 1}]}', 400, None, "no JSON"), ([], 400, None, "must be an object"),
        ({}, 422, None, "exactly one"), ({"records": []}, 422, "records", "no rows"), ({"rows": 1}, 422, "rows",
        "not known"),
        ({"records": [{"sepal": "271828.18", "petal": 1}]}, 422, "sepal", "must be a number"),
        ({"records": [{"sepal": 1, "petal": [SECRET]}]}, 422, "petal", "must be a number"),
        ({"records": [{"sepal": None, "petal": SECRET}]}, 422, "sepal", "missing"),
        ({"records": [{**RECORD, "Straße\u202e": SECRET}]}, 422, "records.0.Straße\\u202e", "not a column"),
        ({"records": [SECRET]}, 422, "records.0", "must be an object"),
        ({"split": {"columns": ["sepal", "sepal"], "data": []}}, 422, "split.columns", "twice"),
    ]  # fmt: skip
    for body, status, field, words in cases:
        refused(ask(app, "/predict", body), status, field, words)


def test_limits_are_judged_before_anything_is_read() -> None:
    app = application(said={"api": {"limits": {"body_bytes": 1024, "rows": 2, "deadline_ms": 60}}})
    refused(ask(app, "/predict", b"", parts=[{}], content_length="99999999999"), 413, None, "more than 1024 bytes")
    part = {"type": "http.request", "body": b" " * 600, "more_body": True}
    refused(ask(app, "/predict", parts=[part, part, part]), 413, None, "more than 1024 bytes")
    refused(ask(app, "/predict", {"records": [RECORD] * 3}), 413, "records", "more than 2 rows")
    slow = ask(app, "/predict", parts=[part])
    refused(slow, 408, None, "in time")
    assert slow.headers["connection"] == "close"
    assert ask(app, "/predict", parts=[{"type": "http.disconnect"}]).status == 0
    assert b'route="/predict",status="499"' in ask(app, "/metrics").body


def test_the_deadline_is_the_askers_and_never_more_than_the_services() -> None:
    backend = Scores()
    app = application(backend, {"api": {"limits": {"deadline_ms": 5000}}})
    for header in ({"x_request_timeout_ms": "1500"}, {"grpc_timeout": "1500m"}, {"x_request_timeout_ms": "900000"},
                   {"grpc_timeout": "1H", "x_request_timeout_ms": "2000"}):  # fmt: skip
        assert ask(app, "/predict", {"records": [RECORD]}, **header).status == 200
    found = [timeout or 0 for timeout in backend.timeouts]
    assert all(most - 0.5 < one <= most for one, most in zip(found, (1.5, 1.5, 5.0, 2.0), strict=True)), found
    assert ask(app, "/predict", {"records": [RECORD]}, grpc_timeout="1n").status in (408, 504)
    for header in ({"x_request_timeout_ms": "0"}, {"x_request_timeout_ms": "-3"}, {"grpc_timeout": "5"},
                   {"grpc_timeout": "123456789S"}, {"x_request_timeout_ms": "1e3"}):  # fmt: skip
        assert ask(app, "/predict", {"records": [RECORD]}, **header).status == 400


@pytest.mark.parametrize(("error", "status", "retry"), [
    (Unanswered("Too many requests wait already.", status=429, retry_after=2), 429, "2"),
    (Unanswered("Nobody is there.", status=503, retry_after=7), 503, "7"),
    (Unanswered("No answer within the deadline.", status=504), 504, None),
    (PredictionError("The model could not answer (ValueError)."), 500, None),
    (ZeroDivisionError("271828"), 500, None),
])  # fmt: skip
def test_who_cannot_answer_says_when_to_ask_again(
    error: Exception, status: int, retry: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(Scores(error=error))
    for path, body in (
        ("/predict", {"records": [RECORD]}),
        ("/v2/models/churn/infer", {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}]}),
    ):
        got = ask(app, path, body)
        assert (got.status, got.headers.get("retry-after")) == (status, retry)
        assert isinstance(got.json["error"], str) == path.startswith("/v2")
        assert b"271828" not in got.body
    assert "271828" not in caplog.text
    assert ("a request failed" in caplog.text) == (status == 500)


def test_nothing_answers_without_a_model_and_the_reason_is_told() -> None:
    from strata_git.serving.api.app import create_app

    app = create_app(service(), Router(reason="the gate refused: tree"))
    got = ask(app, "/predict", {"records": [RECORD]})
    assert (got.status, got.headers["retry-after"], "tree" in got.json["error"]["message"]) == (503, "1", True)
    statuses = {path: ask(app, path).status for path in ("/ping", "/v2/health/live", "/v2/health/ready", "/provenance",
                "/v2/models/churn", "/openapi.json", "/", "/metrics", "/card", "/docs")}  # fmt: skip
    assert statuses == {
        "/ping": 503, "/v2/health/live": 200, "/v2/health/ready": 503, "/provenance": 503, "/v2/models/churn": 503,
        "/openapi.json": 200, "/": 200, "/metrics": 200, "/card": 503, "/docs": 200,
    }  # fmt: skip


def test_many_at_once_get_their_own_answers(app: Any) -> None:
    async def main() -> list[Got]:
        bodies = [{"records": [{"sepal": float(one), "petal": 0}]} for one in range(50)]
        return await asyncio.gather(*(asking(app, "/predict", body) for body in bodies))

    assert [got.json["predictions"][0]["score"] for got in asyncio.run(main())] == [2.0 * one for one in range(50)]


def test_a_large_body_is_read_beside_the_loop(app: Any) -> None:
    async def main() -> tuple[Got, Got]:
        columns = {"sepal": [1.0] * 9000, "petal": [2.25000001] * 9000}
        body = orjson.dumps({"columns": columns}) + b" " * 300_000
        return await asyncio.gather(  # the small one comes later, and is answered
            asking(app, "/predict", body), asking(app, "/predict", {"records": [RECORD]})
        )

    large, small = asyncio.run(main())
    assert (len(large.json["predictions"]), small.json) == (9000, {"predictions": [{"score": 10.0}]})


def test_bodies_on_their_way_have_room_together_and_give_it_back() -> None:
    app = application()
    app.context.room.most = 1000
    part = {"type": "http.request", "body": b" " * 600, "more_body": True}

    async def main() -> list[Got]:
        last = {"type": "http.request", "body": orjson.dumps({"records": [RECORD]})}
        held = asyncio.create_task(asking(app, "/predict", parts=[part], x_request_timeout_ms="300"))
        await asyncio.sleep(0.05)
        refused = await asking(app, "/predict", parts=[part, last])
        small = await asking(app, "/predict", {"records": [RECORD]})
        return [await held, refused, small, await asking(app, "/predict", parts=[part, last])]

    got = asyncio.run(main())
    assert [one.status for one in got] == [408, 503, 200, 200]
    assert (got[1].headers["retry-after"], app.context.room.held) == ("1", 0)


def test_whoever_sends_arrow_first_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    warm_up = cache(lambda: threads.append(threading.current_thread()))
    monkeypatch.setattr(formats, "warm_up", warm_up)
    asyncio.run(prepare("json", "csv"))
    assert not threads
    for _ in range(2):
        asyncio.run(prepare("json", "arrow"))
    assert threads != [threading.main_thread()]
    assert len(threads) == 1


@pytest.mark.heavy
def test_nothing_is_loaded_by_the_first_request_in_arrow() -> None:
    code = (
        "import sys\nimport numpy as np\nfrom strata_git.serving.api import arrow_rows, formats\n"
        "from strata_git.serving.columns import Field, Signature\n"
        "formats.warm_up()\nbefore = {*sys.modules}\n"
        "columns = Field('a', 'float64'), Field('b', 'string')\n"
        "outputs = {'a': np.ones(2), 'b': np.array(['x', 'y'], dtype=object)}\n"
        "arrow_rows.read_arrow(arrow_rows.write_arrow(outputs), Signature(columns, ()))\n"
        "print(sorted({*sys.modules} - before))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"[]\n"
