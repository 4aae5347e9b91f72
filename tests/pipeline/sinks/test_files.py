"""Files in a directory: named by their rows, put there once, whole when the manifest is there."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset, parquet

from strata_git.contracts.pipeline import FileSink
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import cell, columns_of, guarded, plain_row, written
from strata_git.pipeline.sinks.exporter import Exporter, Receipt
from strata_git.pipeline.sinks.files import Files
from strata_git.pipeline.sinks.store import Directory

RUN = "run-2026-11-21-001"
ROWS: list[dict[str, Any]] = [
    {"id": 1, "text": "a\nb", "lang": "en", "score": 1, "tags": ["x"], "vector": [0.5, 1]},
    {"id": 2, "text": "=1+1", "lang": "de", "score": 0.25, "extra": None},
    {"id": 3, "text": "ü", "lang": None, "score": None, "deep": {"b": [1, {"c": True}]}},
]


def sink(root: Path, **chosen: object) -> Files:
    return Files("out", Directory("out", root), FileSink.model_validate({"type": "files", "path": "out", **chosen}))


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def export(root: Path, rows: Any = ROWS, **chosen: object) -> Receipt:
    return sink(root, **chosen).write(rows, run_id=RUN)


def manifest(root: Path, name: str = "manifest.json") -> Any:
    return json.loads((root / RUN / name).read_bytes())


def test_rows_are_written_once(tmp_path: Path) -> None:
    first = export(tmp_path, iter(ROWS))
    assert (first.rows, first.written, len(first.files), first.changed) == (3, 3, 2, True)
    (listed,) = manifest(tmp_path)["files"]
    assert [json.loads(line) for line in (tmp_path / RUN / listed["path"]).read_text().splitlines()] == ROWS
    before = content(tmp_path)
    again = export(tmp_path, [dict(reversed(row.items())) for row in ROWS])
    assert (again.written, again.files, again.changed, again.digest) == (0, (), False, first.digest)
    assert content(tmp_path) == before
    assert isinstance(sink(tmp_path), Exporter)


def test_other_rows_of_the_same_run_are_refused(tmp_path: Path) -> None:
    export(tmp_path)
    before = content(tmp_path)
    with pytest.raises(ExportError, match="already holds other rows") as caught:
        export(tmp_path, ROWS[:2])
    assert (caught.value.kind, content(tmp_path)) == ("conflict", before)
    assert sink(tmp_path).write(ROWS[:2], run_id=RUN, part="summary").written == 2
    assert manifest(tmp_path, "manifest-summary.json")["rows"] == 2


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_what_was_interrupted_is_completed(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole"
    export(whole, rows_per_file=1)
    create, calls = Directory.create, []

    def breaking(self: Directory, name: str, data: bytes) -> bool:
        calls.append(name)
        if len(calls) > after:
            raise ExportError("as ordered")
        return create(self, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(Directory, "create", breaking)
        with pytest.raises(ExportError, match="as ordered"):
            export(tmp_path / "broken", rows_per_file=1)
    assert not (tmp_path / "broken" / RUN / "manifest.json").exists()
    receipt = export(tmp_path / "broken", rows_per_file=1)
    assert len(receipt.files) == 4 - after
    assert content(tmp_path / "broken") == content(whole)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_every_form_can_be_read_with_stock_tools(tmp_path: Path, form: str, compression: str) -> None:
    export(tmp_path / "a", format=form, compression=compression)
    export(tmp_path / "b", format=form, compression=compression)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    (listed,) = manifest(tmp_path / "a")["files"]
    path = tmp_path / "a" / RUN / listed["path"]
    if form == "parquet":
        table = parquet.read_table(path)
        assert table.column("vector").to_pylist() == [[0.5, 1.0], None, None]
        assert table.schema.field("score").type == pa.float64()
        assert json.loads(table.column("deep").to_pylist()[2]) == ROWS[2]["deep"]
        return
    data = path.read_bytes()
    text = {"none": lambda: data, "gzip": lambda: gzip.decompress(data), "zstd": lambda: unzstd(data)}[compression]()
    if form == "jsonl":
        assert [json.loads(line) for line in text.splitlines()] == ROWS
    else:
        found = list(csv.DictReader(text.decode().splitlines(keepends=True)))
        assert [row["id"] for row in found] == ["1", "2", "3"]
        assert [row["text"] for row in found] == ["a\nb", "'=1+1", "ü"]
        assert found[2]["deep"] == '{"b":[1,{"c":true}]}'


def unzstd(data: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return stream.read()


def test_partitions_are_those_of_hive(tmp_path: Path) -> None:
    rows = [*ROWS, {"id": 4, "lang": "../x=/y", "text": "t"}]
    export(tmp_path, rows, format="parquet", partition_by=["lang"])
    (tmp_path / RUN / "manifest.json").rename(tmp_path / "manifest.json")
    table = dataset.dataset(tmp_path / RUN, partitioning="hive").to_table().sort_by("id")
    assert table.column("lang").to_pylist() == ["en", "de", None, "../x=/y"]
    assert table.column("id").to_pylist() == [1, 2, 3, 4]


def test_too_many_partitions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="makes 1001 directories"):
        export(tmp_path, [{"id": number} for number in range(1001)], partition_by=["id"])


def test_no_rows_are_an_answer_too(tmp_path: Path) -> None:
    assert export(tmp_path, []).files == (f"{RUN}/manifest.json",)
    assert not export(tmp_path, []).changed


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"a": float("nan")}, "finite"),
        ({"a": b"x"}, "type bytes"),
        ({"a": "\ud800"}, "surrogate"),
        ({"": 1}, "no text"),
    ],
)
def test_what_json_cannot_say_is_refused(tmp_path: Path, row: dict[str, object], said: str) -> None:
    with pytest.raises(ExportError, match=said):
        export(tmp_path, [{"a": 1}, row])
    assert content(tmp_path) == {}


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a\n"])
def test_names_do_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match="cannot name"):
        sink(tmp_path).write(ROWS, run_id=name)
    with pytest.raises(ExportError, match="cannot name"):
        sink(tmp_path).write(ROWS, run_id=RUN, part=name)


def test_a_link_out_of_the_sink_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RUN).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match="leads out"):
        export(tmp_path / "out")
    assert content(tmp_path / "elsewhere") == {}


def test_a_foreign_manifest_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / RUN).mkdir()
    (tmp_path / RUN / "manifest.json").write_text("{}")
    with pytest.raises(ExportError, match="not a manifest of ours"):
        export(tmp_path)


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ExportError, match="cannot be") as caught:
        export(tmp_path / "out")
    assert os.fspath(tmp_path) in caught.value.message


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r", " =1", "\uff1d1"])
def test_formulas_are_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert guarded(f"x{text}") == f"x{text}"


def test_formulas_are_kept_where_asked(tmp_path: Path) -> None:
    export(tmp_path, format="csv", formulas="keep")
    (listed,) = manifest(tmp_path)["files"]
    assert "2,=1+1,de" in (tmp_path / RUN / listed["path"]).read_text()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=3), PLAIN, max_size=4), max_size=6))
def test_any_rows_fit_into_their_columns(rows: list[dict[str, object]]) -> None:
    plain = [plain_row(row) for row in rows]
    columns = columns_of(plain)
    assert [json.loads(line) for line in written(plain, columns, "jsonl").split(b"\n")[:-1]] == plain
    for row in plain:
        for name, value in row.items():
            cell(value, columns[name])
    if columns:
        table = parquet.read_table(pa.BufferReader(written(plain, columns, "parquet")))
        assert (table.num_rows, table.column_names) == (len(plain), list(columns))


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([None], "text"), ([1, None, 2**62], "int"), ([1, 0.5], "float"), ([2**60, 0.5], "text"), ([2**63], "text"),
        ([True, 1], "text"), ([[1, 0.5]], "numbers"), ([[2**60]], "json"), ([[True]], "json"), ([[]], "json"),
        ([[1], {}], "json"), (["x", {}], "text"),
    ],
)  # fmt: skip
def test_a_column_is_as_narrow_as_loses_nothing(values: list[object], column: str) -> None:
    assert columns_of([{"a": value} for value in values]) == {"a": column}
