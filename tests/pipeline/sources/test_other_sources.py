"""Whatever fsspec opens, the rows of queries, and which settings make which connector."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from strata_git.contracts.base import parse
from strata_git.contracts.pipeline import AzureConnector, FsspecConnector, Pipelines, SqlConnector, UnloadConnector
from strata_git.errors import MissingExtra, StrataError
from strata_git.load import load_yaml
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.sources import catalog, redshift
from strata_git.pipeline.sources.azure import AzureBlobs
from strata_git.pipeline.sources.catalog import Place, connect, connector_of
from strata_git.pipeline.sources.connector import DataConnector, ResourceRef
from tests.support import s3_server


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


def place(root: Path, **secrets: str) -> Place:
    return Place("src", root, Given(secrets), {})


# --- fsspec


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[DataConnector]:
    import fsspec

    system = fsspec.filesystem("memory")
    for name, data in {"a.md": b"first", "in/b ü%.md": b"seconds", "in/c.txt": b"3", "out.md": b"none"}.items():
        system.pipe(f"/docs/{name}" if name != "out.md" else "/out.md", data)
    yield connector_of(FsspecConnector(type="fsspec", url="memory://docs"), place(tmp_path))
    system.rm("/", recursive=True)


def test_a_url_is_walked_and_read(memory: DataConnector) -> None:
    found = list(memory.list(["**/*.md"]))
    assert [(info.ref.name, info.bytes, info.media_type) for info in found] == [
        ("a.md", 5, "text/markdown"), ("in/b ü%.md", 7, "text/markdown"),
    ]  # fmt: skip
    assert memory.info(found[1].ref) == found[1]
    with memory.open(found[1].ref) as stream:
        assert (stream.read(3), stream.read()) == (b"sec", b"onds")
    for uri in ("fsspec+memory:/out.md", "fsspec+memory:/docs/../out.md", "memory:///docs/a.md"):
        with pytest.raises(ConnectorError, match="is not below"):
            memory.info(ResourceRef("x", uri))
    with pytest.raises(ConnectorError) as caught:
        memory.info(ResourceRef("gone", "fsspec+memory:/docs/gone"))
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("./docs", {}, "type local"), ("file:///docs", {}, "type local"),
        ("nosuch://x", {}, "cannot open a nosuch URL"),
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_meant_is_told(tmp_path: Path, url: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StrataError, match=said):
        connector_of(FsspecConnector(type="fsspec", url=url, options=options), place(tmp_path))


# --- queries


def query(root: Path, **settings: object) -> DataConnector:
    with sqlite3.connect(root / "a.db") as data:
        data.execute("CREATE TABLE IF NOT EXISTS minutes (id integer, said text, price real)")
        data.executemany("INSERT INTO minutes VALUES (?, ?, ?)", [(n, f"text {n}: =1", n / 4) for n in range(5)])
    data.close()
    given = {"type": "sql", "url": f"sqlite:///{root}/a.db", "query": "SELECT * FROM minutes ORDER BY id"}
    return connector_of(SqlConnector.model_validate(given | settings), place(root, word="canary-of-a-password"))


def test_rows_are_files_of_so_many(tmp_path: Path) -> None:
    source = query(tmp_path, rows_per_file=2)
    found = list(source.list())
    assert [info.ref.name for info in found] == ["rows-00000.jsonl", "rows-00001.jsonl", "rows-00002.jsonl"]
    with source.open(found[1].ref) as stream:
        assert [json.loads(line) for line in stream] == [
            {"id": 2, "said": "text 2: =1", "price": 0.5}, {"id": 3, "said": "text 3: =1", "price": 0.75},
        ]  # fmt: skip
    assert source.info(found[2].ref) == found[2]
    (first,) = query(tmp_path, query="SELECT * FROM minutes WHERE id < 2 LIMIT 2").list()
    assert first.etag == found[0].etag


def test_rows_are_tables_too(tmp_path: Path) -> None:
    source = query(tmp_path, format="parquet", query="SELECT id, '10:30' AS at FROM minutes WHERE said LIKE '%: %'")
    (info,) = source.list(["*.parquet"])
    with source.open(info.ref) as stream:
        table = parquet.read_table(io.BytesIO(stream.read()))
    assert table.column("at").to_pylist() == ["10:30"] * 5


def test_what_a_query_changes_is_not_kept(tmp_path: Path) -> None:
    source = query(tmp_path, query="DELETE FROM minutes RETURNING id")
    assert len(list(source.list())) == 1
    with sqlite3.connect(tmp_path / "a.db") as data:
        assert data.execute("SELECT count(*) FROM minutes").fetchone() == (5,)
    data.close()


def test_a_query_that_fails_is_told_without_the_password(tmp_path: Path) -> None:
    source = query(tmp_path, query="SELECT * FROM nowhere")
    with pytest.raises(ConnectorError, match="no such table") as caught:
        list(source.list())
    assert caught.value.kind == "not_found"
    wrong = query(tmp_path, url="postgresql+psycopg2://ada@/db?host=/nowhere", key="word")
    with pytest.raises(ConnectorError) as caught:
        list(wrong.list())
    assert "canary" not in f"{caught.value.message}{wrong!r}"
    with pytest.raises(StrataError, match="not one of SQLAlchemy"):
        query(tmp_path, url="no url")


@pytest.mark.heavy
def test_redshift_unloads_and_what_it_wrote_is_read(tmp_path: Path) -> None:
    said: list[str] = []
    with s3_server.serving() as server:
        client = server.client()
        client.create_bucket(Bucket="stage")

        class Unloading:
            """A connection to something that does what UNLOAD does."""

            def __enter__(self) -> Unloading:
                return self

            def __exit__(self, *what: object) -> None:
                """Nothing is open."""

            cursor = commit = close = lambda self: self

            def execute(self, statement: str) -> None:
                said.append(statement)
                client.put_object(Bucket="stage", Key="in/b1/0000_part_00.parquet", Body=b"PAR1")
                entries = [{"url": "s3://stage/in/b1/0000_part_00.parquet", "meta": {"content_length": self.length}}]
                client.put_object(Bucket="stage", Key="in/b1/manifest", Body=json.dumps({"entries": entries}).encode())

            length = 4

        settings = UnloadConnector.model_validate({
            "type": "redshift-unload", "host": "h", "database": "d", "user": "u", "key": "word", "iam_role": "r",
            "query": "SELECT 'x'", "staging": "s3://stage/in/",
        })  # fmt: skip
        source = redshift.Unloaded("src", settings, Unloading, server.client, lambda: "b1")
        (info,) = source.list()
        assert [one.ref.name for one in source.list(["*.parquet"])] == [info.ref.name] == ["0000_part_00.parquet"]
        with source.open(info.ref) as stream:
            assert stream.read() == b"PAR1"
        assert said == ["UNLOAD ('SELECT ''x''') TO 's3://stage/in/b1/' IAM_ROLE 'r' FORMAT AS PARQUET MANIFEST"]
        Unloading.length = 5
        with pytest.raises(ConnectorError, match="not as long as the manifest says"):
            list(redshift.Unloaded("src", settings, Unloading, server.client, lambda: "b1").list())


# --- settings


def test_connectors_are_had_by_name(tmp_path: Path) -> None:
    pipelines = parse(Pipelines, load_yaml(b"connectors: {docs: {type: local, root: ./docs}}\n"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("x")
    source = connect(pipelines, "docs", root=tmp_path, secrets=Given(), environ={})
    assert [info.ref.name for info in source.list(["**/*.md"])] == ["a.md"]
    with pytest.raises(StrataError, match="no connector 'dosc'") as caught:
        connect(pipelines, "dosc", root=tmp_path, secrets=Given(), environ={})
    assert caught.value.hint.startswith("Did you mean 'docs'?")


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="azure"):
        connector_of(AzureConnector(type="azure-blob", account="a", container="c"), place(tmp_path))


def test_secrets_are_put_in_when_they_are_used(tmp_path: Path) -> None:
    settings = FsspecConnector(type="fsspec", url="memory://docs", options={"word": "${secret:word}"})
    source = connector_of(settings, place(tmp_path, word="canary"))
    assert "canary" not in repr(source)


def test_a_container_is_named_by_its_account(tmp_path: Path) -> None:
    entry = AzureConnector(type="azure-blob", account="acc", container="c", prefix="in", key="word")
    source = connector_of(entry, place(tmp_path, word="a2V5"))
    assert isinstance(source, AzureBlobs)
    assert (source.where, source.prefix) == ("https://acc.blob.core.windows.net/c", "in/")
    with pytest.raises(ConnectorError, match="is not in this container"):
        source.info(ResourceRef("x", "https://acc.blob.core.windows.net/other/in/x"))
