"""What stands in front of every route: names, keys, traces, log lines, figures, and what an answer carries."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts import service as contract
from strata_git.serving.api.auth import Authenticator, key_digest
from strata_git.serving.errors import Denied
from strata_git.serving.logs import service_log
from strata_git.serving.prediction_log import PredictionLog, read_log
from tests.serving.api.application import RECORD, application, ask, service

KEY, LATE, FOREIGN = "k-3141592653589793", "k-2718281828459045", "Schlüssel-\u20ac"
AUTH = {"auth": {"keys": [
    {"name": "billing", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "expires": "2027-06-30"},
    {"name": "foreign", "sha256": key_digest(FOREIGN)},
    {"name": "former", "sha256": hashlib.sha256(LATE.encode()).hexdigest(), "expires": "2026-01-31"},
]}}  # fmt: skip
BODY = {"records": [RECORD]}
EVERY = ("/provenance", "/prototype", "/card", "/docs", "/openapi.json", "/metrics", "/v2", "/v2/models/churn", "/none")


def at(moment: str) -> Any:
    return lambda: datetime.fromisoformat(f"{moment}T12:00:00+00:00").timestamp()


@pytest.fixture
def guarded() -> Any:
    said = {"api": AUTH}
    return application(said=said, authenticator=Authenticator(service(**said).api.auth, clock=at("2026-11-21")))


def test_a_key_opens_and_nothing_else_does(guarded: Any) -> None:
    for headers in (
        {"x_api_key": KEY},
        {"x_api_key": FOREIGN.encode().decode("latin-1")},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
    ):
        got = ask(guarded, "/predict", BODY, **headers)
        assert (got.status, got.headers["strata-model"]) == (200, "churn@v3")
        assert ask(guarded, "/metrics", **headers).status == 200
    wrong: list[dict[str, str]] = [
        {}, {"x_api_key": LATE}, {"x_api_key": KEY[:-1]}, {"x_api_key": KEY + " x"}, {"x_api_key": "k" * 20_000},
        {"authorization": f"Basic {KEY}"}, {"authorization": "Bearer"}, {"authorization": KEY}, {"x_api_key": "\xff"},
        {"authorization": f"Bearer {KEY}", "x_api_key": KEY}, {"x_api_key": hashlib.sha256(KEY.encode()).hexdigest()},
    ]  # fmt: skip
    for headers in wrong:
        got = ask(guarded, "/predict", BODY, **headers)
        assert (got.status, got.headers["www-authenticate"].partition(" ")[0]) == (401, "Bearer"), headers
        assert "strata-model" not in got.headers
        assert KEY.encode() not in got.body
    assert {path: ask(guarded, path).status for path in EVERY} == dict.fromkeys(EVERY, 401)


def test_routes_for_probes_and_the_empty_page_are_open_and_tell_nothing(guarded: Any) -> None:
    for path in ("/ping", "/v2/health/live", "/v2/health/ready", "/", "/assets/tryit.js", "/assets/page.css"):
        got = ask(guarded, path)
        assert got.status == 200
        assert not [name for name in got.headers if name.startswith("strata-")]
        assert b"churn" not in got.body
        assert b"sepal" not in got.body


def test_the_last_day_of_a_key_is_whole_and_in_utc() -> None:
    auth = service(api=AUTH).api.auth
    assert Authenticator(auth, clock=at("2027-06-30")).check({"x-api-key": KEY}) == "billing"
    with pytest.raises(Denied):
        Authenticator(auth, clock=at("2027-07-01")).check({"x-api-key": KEY})
    assert Authenticator(contract.Auth()).check({}) == ""


def test_without_keys_only_this_machines_own_names_are_answered() -> None:
    app = application(hosts=("api.example.org",))
    for host in ("127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "api.example.org"):
        assert ask(app, "/predict", BODY, host=host).status == 200
    for host in ("evil.example", "127.0.0.1.evil.example:8080", "", "localhost.evil", "[::2]"):
        got = ask(app, "/predict", BODY, host=host)
        assert (got.status, got.json["error"]["field"]) == (421, "host")
        assert ask(app, "/v2/health/ready", host=host).status == 200
    assert ask(app, "/predict", BODY, sec_fetch_site="cross-site").status == 403
    assert ask(app, "/predict", BODY, sec_fetch_site="same-origin").status == 200
    assert ask(application(hosts=("*",)), "/predict", BODY, host="any.example").status == 200


def test_a_trace_is_continued_and_answered() -> None:
    app = application()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got = ask(app, "/predict", BODY, traceparent=parent, x_request_id="order-17")
    version, trace, span, flags = got.headers["traceparent"].split("-")
    assert (version, trace, flags, got.headers["x-request-id"]) == ("00", parent[3:35], "01", "order-17")
    assert span != parent[36:52]
    assert ask(app, "/ping", traceparent=f"cc-{parent[3:]}-more").headers["traceparent"][3:35] == parent[3:35]
    for bad in ("", "00-0-1-2", parent.upper(), f"ff-{parent[3:]}", f"00-{'0' * 32}-{'1' * 16}-01", f"{parent}-x"):
        got = ask(app, "/ping", traceparent=bad, x_request_id="a b\xff")
        assert got.headers["traceparent"][3:35] not in (parent[3:35], "0" * 32)
        assert got.headers["x-request-id"] == got.headers["traceparent"][3:35]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with service_log("json", "info", stream):
        yield stream


def test_a_request_is_one_line_that_tells_no_value(guarded: Any, lines: io.StringIO) -> None:
    body = {"records": [{"sepal": 271828.0, "petal": 2.0}]}
    ask(guarded, "/predict", body, x_api_key=KEY, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    ask(guarded, "/ping")
    ask(guarded, "/evil\n\x1b[2J" + "x" * 999, x_api_key=KEY)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.\nx")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    first = told[0]
    assert datetime.fromisoformat(first.pop("time")).tzinfo == UTC
    assert (first.pop("ms") >= 0, len(first.pop("span")), first.pop("request")) == (True, 16, first["trace"])
    assert first == {
        "level": "info", "logger": "strata.access", "message": "POST /predict 200", "method": "POST",
        "route": "/predict", "status": 200, "rows": 1, "caller": "billing", "model": "churn@v3", "client": "127.0.0.1",
        "trace": "0af7651916cd43dd8448eb211c80319c", "parent": "b7ad6b7169203331",
    }  # fmt: skip
    assert [one["message"][:21] for one in told[1:]] == ["GET /evil\\n\\x1b[2Jxxx", "Invalid HTTP request "]
    assert "271828.0" not in lines.getvalue()
    assert KEY not in lines.getvalue()


def test_people_read_the_same_in_words() -> None:
    stream = io.StringIO()
    with service_log("human", "debug", stream):
        ask(application(), "/ping")
        try:
            raise ValueError("271828")
        except ValueError:
            logging.getLogger("strata.serving").exception("something broke")
    first, second, *places = stream.getvalue().splitlines()
    assert first[8:] == f" debug    GET /ping 200{first[first.index(' request=') :]}"
    assert "something broke error=ValueError" in second
    assert places
    assert "271828" not in stream.getvalue()
    assert not logging.getLogger().handlers or stream not in [
        getattr(one, "stream", None) for one in logging.getLogger().handlers
    ]


def test_figures_have_bounded_labels() -> None:
    app = application()
    for place in range(30):
        ask(app, f"/random/{place}")
        ask(app, f"/v2/models/m{place}")
    ask(app, "/predict", BODY)
    ask(app, "/predict", {"records": [RECORD] * 4})
    app.context.metrics.observe("ModelInfer", "OK", 0.25)
    text = ask(app, "/metrics").body.decode()
    assert 'strata_requests_total{route="none",status="404"} 30.0' in text
    assert 'strata_requests_total{route="/v2/models/{model}",status="404"} 30.0' in text
    assert 'strata_request_seconds_bucket{le="+Inf",route="/predict"} 2.0' in text
    assert 'strata_prediction_rows_total{model="churn@v3"} 5.0' in text
    assert "strata_model_info{" in text
    assert "strata_requests_in_flight 1.0" in text
    assert "random" not in text
    got = ask(app, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert got.body.endswith(b"# EOF\n")
    assert ask(application(said={"api": {"metrics": False}}), "/metrics").status == 404


def test_a_service_that_ends_closes_connections_as_they_are_answered() -> None:
    app = application()
    app.state.draining = True
    got = ask(app, "/predict", BODY)
    assert (got.status, got.headers["connection"]) == (200, "close")
    assert [ask(app, path).status for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/churn/ready",
        "/ping")] == [
        200, 503, 503, 503
    ]  # fmt: skip


def test_predictions_are_kept_as_asked(tmp_path: Path) -> None:
    log = PredictionLog(contract.PredictionLog(enabled=True, omit=("petal",)), tmp_path / "log")
    app = application(log=log)
    ask(app, "/predict", {"records": [RECORD, RECORD]}, x_request_id="r-1")
    ask(app, "/predict", {"records": [{"sepal": "x", "petal": 1}]})
    log.close()
    entries = list(read_log(tmp_path / "log"))
    assert [(one.request, one.row, one.model) for one in entries] == [("r-1", 0, "churn@v3"), ("r-1", 1, "churn@v3")]
    assert (entries[0].inputs, entries[0].outputs) == ({"sepal": 2.0}, {"score": 10.0})
    assert 'strata_prediction_log_total{fate="written"} 1.0' in ask(app, "/metrics").body.decode()


def test_a_fault_of_ours_is_no_word_to_who_asks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = application()
    monkeypatch.setattr(app.context, "hosts", 5)  # what nobody would ever do
    got = ask(app, "/v2/models/churn")
    assert (got.status, got.json) == (500, {"error": "The service failed; its log says more."})
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["a request failed"]
