"""A Delta table: one commit an export, read back by another reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from strata_git.contracts.pipeline import DeltaSink
from strata_git.errors import StrataError
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.sinks.delta import Delta, exporter
from strata_git.pipeline.sources.catalog import Place
from tests.support import s3_server
from tests.support.s3_server import AwsServer

RUN, NEXT = "run-2026-11-21-001", "run-2026-11-21-002"
ROWS: list[dict[str, Any]] = [{"id": 1, "text": "a", "vector": [1, 0.5]}, {"id": 2, "text": "b"}]


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


def sink(root: Path, **settings: object) -> Delta:
    entry = DeltaSink.model_validate({"type": "delta", "uri": "table", **settings})
    return exporter(entry, Place("lake", root, Given(id="test", word="test-secret-word"), {}))


def rows(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(str(root / "table")).to_pyarrow_table().sort_by("id").to_pylist()
    return found


def test_appending_the_same_twice_is_appending_once(tmp_path: Path) -> None:
    lake = sink(tmp_path)
    assert lake.write(ROWS, run_id=RUN).written == 2
    assert lake.write(iter(ROWS), run_id=RUN).written == 0
    assert DeltaTable(str(tmp_path / "table")).version() == 0
    assert lake.write([{"id": 3, "new": True}], run_id=NEXT).written == 1
    assert rows(tmp_path) == [
        {"id": 1, "text": "a", "vector": [1.0, 0.5], "new": None},
        {"id": 2, "text": "b", "vector": None, "new": None},
        {"id": 3, "text": None, "vector": None, "new": True},
    ]
    logged = (tmp_path / "table/_delta_log/00000000000000000000.json").read_text()
    noted = [json.loads(line)["txn"]["appId"] for line in logged.splitlines() if '"txn"' in line]
    assert [name.split(":sha256")[0] for name in noted] == [f"strata:{RUN}:outputs"] * 2


def test_other_rows_of_the_same_part_are_refused(tmp_path: Path) -> None:
    lake = sink(tmp_path)
    lake.write(ROWS, run_id=RUN)
    with pytest.raises(ExportError, match="already holds other rows"):
        lake.write(ROWS[:1], run_id=RUN)
    assert lake.write(ROWS[:1], run_id=RUN, part="first").written == 1


def test_an_upsert_replaces_by_key_and_takes_the_last(tmp_path: Path) -> None:
    lake = sink(tmp_path, mode="upsert", key_fields=["id"])
    doubled = [{"id": 1, "text": "old"}, *ROWS]
    first = lake.write(doubled, run_id=RUN)
    assert (first.rows, first.written, first.dropped) == (3, 2, 1)
    again = [{"id": 2, "text": "b", "vector": [2.0]}, {"id": 1, "text": "a", "vector": [1.0, 0.5]}]
    assert lake.write(again, run_id="run-2026-11-20-001").written == 1  # one of two columns differs, in one row
    more = [{"id": 2, "text": "B"}, {"id": 1, "text": "a"}, {"id": 3, "text": "c"}]
    assert lake.write(more, run_id=NEXT).written == 2
    assert lake.write(more, run_id=NEXT).written == 0
    assert [(row["id"], row["text"]) for row in rows(tmp_path)] == [(1, "a"), (2, "B"), (3, "c")]


def test_a_row_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no usable value for its key 'id'"):
        sink(tmp_path, mode="upsert", key_fields=["id"]).write([{"text": "x"}], run_id=RUN)


def test_partitions(tmp_path: Path) -> None:
    sink(tmp_path, partition_by=["text"]).write(ROWS, run_id=RUN)
    assert DeltaTable(str(tmp_path / "table")).metadata().partition_columns == ["text"]
    assert (tmp_path / "table/text=a").is_dir()


def test_two_at_once_write_once(tmp_path: Path) -> None:
    sink(tmp_path).write([{"id": 0, "text": "first"}], run_id=NEXT)
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda _: _quick(sink(tmp_path)).write(ROWS, run_id=RUN), range(4)))
    assert sorted(receipt.written for receipt in receipts) == [0, 0, 0, 2]
    assert [row["id"] for row in rows(tmp_path)] == [0, 1, 2]


def _quick(lake: Delta) -> Delta:
    return Delta(lake.name, lake.settings, lake.uri, lake.options, Backoff(first_s=0.01))


def test_a_lakehouse_is_named_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="abfss://"):
        sink(tmp_path, type="fabric-delta")
    uri = "abfss://work@onelake.dfs.fabric.microsoft.com/house.Lakehouse/Tables/t"
    lake = sink(tmp_path, type="fabric-delta", uri=uri, key="word")
    assert {"account_key": "test-secret-word", "use_fabric_endpoint": "true"}.items() <= lake.options.items()
    assert "test-secret-word" not in repr(lake)


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with s3_server.serving() as serving:
        serving.client().create_bucket(Bucket="lake")
        yield serving


@pytest.mark.heavy
@pytest.mark.parametrize("settings", [{}, {"mode": "upsert", "key_fields": ["id"]}])
def test_a_bucket_holds_a_table(server: AwsServer, tmp_path: Path, settings: dict[str, object]) -> None:
    uri = f"s3://lake/{settings.get('mode', 'append')}"
    lake = sink(tmp_path, uri=uri, endpoint=server.url, key="id", secret="word", **settings)
    assert [lake.write(ROWS, run_id=RUN).written for _ in range(2)] == [2, 0]
    assert lake.write([{"id": 2, "text": "B"}, {"id": 9}], run_id=NEXT).written == 2
    there = DeltaTable(uri, storage_options=dict(lake.options)).to_pyarrow_table().num_rows
    assert there == (3 if settings else 4)


@pytest.mark.heavy
def test_a_bucket_that_is_not_there_is_told(server: AwsServer, tmp_path: Path) -> None:
    lake = sink(tmp_path, uri="s3://nowhere/t", endpoint=server.url, key="id", secret="word")
    with pytest.raises(ExportError) as caught:
        lake.write(ROWS, run_id=RUN)
    assert caught.value.kind == "not_found"
    assert "test-secret-word" not in caught.value.message
