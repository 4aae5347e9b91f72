"""A workbook in SharePoint: made, added to, merged by key, and never saved over what somebody else saved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from strata_git.contracts.pipeline import ExcelSink
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.sinks.catalog import exporter_of
from strata_git.pipeline.sinks.excel import Excel
from strata_git.pipeline.sources.catalog import Place
from tests.support import graph_server
from tests.support.graph_server import CLIENT, SECRET, TENANT, GraphServer

RUN, NEXT = "run-2026-11-21-001", "run-2026-11-21-002"
PATH = "reports/answers.xlsx"
ROWS: list[dict[str, Any]] = [
    {"id": 1, "text": "=1+1", "score": 0.5, "tags": ["x"]}, {"id": 2, "text": "+b", "large": 2**60, "ok": True},
]  # fmt: skip
WAITS: list[float] = []


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphServer]:
    with graph_server.serve(tmp_path_factory.mktemp("graph")) as serving:
        yield serving


@pytest.fixture
def server(graph: GraphServer, monkeypatch: pytest.MonkeyPatch) -> GraphServer:
    monkeypatch.setenv("SSL_CERT_FILE", str(graph.ca))
    graph.files, graph.marks, graph.failures, graph.seen, graph.meanwhile = {}, {}, [], [], []
    return graph


@pytest.fixture
def made(server: GraphServer, tmp_path: Path) -> Iterator[Excel]:
    sink = _sink(server, tmp_path, key_fields=["id"])
    yield sink
    sink.drive.graph.http.close()


def _sink(server: GraphServer, root: Path, **settings: object) -> Excel:
    WAITS.clear()
    entry = ExcelSink.model_validate({
        "type": "sharepoint-excel", "site": "contoso.sharepoint.example/sites/legal", "tenant": TENANT,
        "client": CLIENT, "key": "graph", "endpoint": f"{server.url}/v1.0",
        "authority": server.url, "path": PATH,
        "sheet": "Answers",
        **settings,
    })  # fmt: skip
    sink = exporter_of(entry, Place("sheet", root, Given(graph=SECRET), {}))
    assert isinstance(sink, Excel)
    quick = Backoff(attempts=4, first_s=0, sleep=WAITS.append)
    object.__setattr__(sink.drive.graph, "backoff", quick)
    object.__setattr__(sink, "backoff", quick)
    return sink


def table(server: GraphServer, sheet: str = "Answers") -> list[tuple[Any, ...]]:
    return list(load_workbook(io.BytesIO(server.files[PATH]))[sheet].iter_rows(values_only=True))


def puts(server: GraphServer) -> int:
    return len([1 for method, _ in server.seen if method == "PUT"])


def test_a_workbook_is_made_and_written_once(made: Excel, server: GraphServer) -> None:
    assert made.write(ROWS, run_id=RUN).written == 2
    assert made.write(iter(ROWS), run_id=RUN).written == 0
    assert puts(server) == 1
    assert table(server) == [
        ("id", "text", "score", "tags", "large", "ok"), (1, "=1+1", 0.5, '["x"]', None, None),
        (2, "+b", None, None, str(2**60), True),
    ]  # fmt: skip
    book = load_workbook(io.BytesIO(server.files[PATH]))
    assert book["strata_exports"].sheet_state == "hidden"
    assert (book["Answers"]["B2"].data_type, book["Answers"]["B2"].quotePrefix) == ("s", True)


def test_rows_are_replaced_by_key(made: Excel, server: GraphServer) -> None:
    made.write(ROWS, run_id=RUN)
    more = [
        {"id": 2, "text": "old"},
        {"id": 2, "text": "new", "note": "n"},
        {"id": 1, "text": "=1+1"},
        {"id": 3, "text": "c"},
    ]
    receipt = made.write(more, run_id=NEXT)
    assert (receipt.written, receipt.dropped) == (2, 1)
    assert [row[:2] + row[6:] for row in table(server)] == [
        ("id", "text", "note"), (1, "=1+1", None), (2, "new", "n"), (3, "c", None),
    ]  # fmt: skip
    assert load_workbook(io.BytesIO(server.files[PATH]))["Answers"]["B2"].data_type == "s"
    with pytest.raises(ExportError, match="already holds other rows"):
        made.write(ROWS, run_id=NEXT)


def test_without_keys_rows_are_added_below(server: GraphServer, tmp_path: Path) -> None:
    sink = _sink(server, tmp_path)
    assert [sink.write(ROWS, run_id=run).written for run in (RUN, RUN, NEXT)] == [2, 0, 2]
    assert [row[0] for row in table(server)] == ["id", 1, 2, 1, 2]
    sink.drive.graph.http.close()


def test_what_else_is_in_the_workbook_stays(made: Excel, server: GraphServer) -> None:
    book = Workbook()
    book.active.title = "Mine"
    book["Mine"]["A1"] = "=SUM(B1:B2)"
    sheet = book.create_sheet("Answers")
    sheet.append(["text", "id"])
    sheet.append(["was", 2])
    data = io.BytesIO()
    book.save(data)
    server.put(PATH, data.getvalue())
    assert made.write(ROWS, run_id=RUN).written == 2
    assert [row[:2] for row in table(server)] == [("text", "id"), ("+b", 2), ("=1+1", 1)]
    assert table(server, "Mine") == [("=SUM(B1:B2)",)]


@pytest.mark.heavy
def test_what_somebody_saves_meanwhile_is_kept(made: Excel, server: GraphServer) -> None:
    made.write(ROWS, run_id=RUN)
    book = load_workbook(io.BytesIO(server.files[PATH]))
    book["Answers"].append([9, "theirs"])
    data = io.BytesIO()
    book.save(data)
    server.meanwhile = [(PATH, data.getvalue())]
    made.write([{"id": 3, "text": "ours"}], run_id=NEXT)
    assert [row[0] for row in table(server)] == ["id", 1, 2, 9, 3]
    assert (puts(server), len(WAITS)) == (3, 1)


@pytest.mark.heavy
def test_a_workbook_that_appears_meanwhile_is_taken_up(made: Excel, server: GraphServer) -> None:
    book = Workbook()
    book.active.append(["theirs"])
    data = io.BytesIO()
    book.save(data)
    server.meanwhile = [(PATH, data.getvalue())]
    made.write(ROWS, run_id=RUN)
    assert table(server, "Sheet") == [("theirs",)]
    assert table(server)[1][0] == 1


def test_throttling_is_honoured(made: Excel, server: GraphServer) -> None:
    server.failures = [(429, {"Retry-After": "5"}, "activityLimitReached"), (503, {}, "serviceNotAvailable")]
    assert made.write(ROWS, run_id=RUN).written == 2
    assert WAITS == [5, 0]


def test_what_is_no_workbook_is_told(made: Excel, server: GraphServer) -> None:
    server.put(PATH, b"PK not a workbook")
    with pytest.raises(ExportError, match="not a workbook"):
        made.write(ROWS, run_id=RUN)
    assert server.files[PATH] == b"PK not a workbook"


def test_what_no_cell_can_hold_is_told(made: Excel) -> None:
    with pytest.raises(ExportError, match="a cell holds 32767"):
        made.write([{"id": 1, "text": "x" * 32_768}], run_id=RUN)
