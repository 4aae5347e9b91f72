"""Tables: one transaction an export, rows by their keys, a note that it was done; in DuckDB and in PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from strata_git.contracts.pipeline import WarehouseSink
from strata_git.errors import StrataError
from strata_git.pipeline.aws import client
from strata_git.pipeline.databases import copy_statement, literal, quoted, unload_statement
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.sinks import duckdb_file, postgres, redshift
from strata_git.pipeline.sinks.duckdb_file import DuckDb
from strata_git.pipeline.sinks.tables import Target, merge_statement
from strata_git.pipeline.sources.catalog import Place
from tests.support import postgres as clusters
from tests.support import s3_server

RUN, NEXT = "run-2026-11-21-001", "run-2026-11-21-002"
ROWS: list[dict[str, Any]] = [
    {"doc": "a.md", "chunk": 1, "text": 'tab\tline\nback\\slash "q" \\N', "score": 1, "meta": {"a": [1, None]}},
    {"doc": "a.md", "chunk": 2, "text": "", "score": 0.5, "ok": True, "vector": [1, 0.25]},
]
KEYS = ["doc", "chunk"]


def settings(**values: object) -> WarehouseSink:
    return WarehouseSink.model_validate(
        {"type": "duckdb", "database": "out/a.duckdb", "table": "answers", "key_fields": KEYS, **values}
    )


class Given(dict[str, str]):
    def get(self, name: str) -> str:  # type: ignore[override]
        return self[name]


def sink(root: Path, **values: object) -> DuckDb:
    return duckdb_file.exporter(settings(**values), Place("db", root, Given(), {}))


def rows(root: Path, query: str = "SELECT doc, chunk, text, score FROM answers ORDER BY ALL") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(root / "out/a.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_merge_writes_what_differs_and_nothing_twice(tmp_path: Path) -> None:
    db = sink(tmp_path)
    assert db.write(ROWS, run_id=RUN).written == 2
    assert db.write(iter(ROWS), run_id=RUN).written == 0
    more = [{**ROWS[0]}, {"doc": "a.md", "chunk": 2, "text": "old"}, {"doc": "a.md", "chunk": 2, "text": "new"}]
    receipt = db.write([*more, {"doc": "b.md", "chunk": 1, "note": "x"}], run_id=NEXT)
    assert (receipt.rows, receipt.written, receipt.dropped) == (4, 2, 1)
    assert rows(tmp_path) == [
        ("a.md", 1, ROWS[0]["text"], 1.0), ("a.md", 2, "new", None),
        ("b.md", 1, None, None),
    ]  # fmt: skip
    assert rows(tmp_path, "SELECT meta, vector, note FROM answers ORDER BY doc, chunk") == [
        ('{"a":[1,null]}', None, None), (None, [1.0, 0.25], None), (None, None, "x"),
    ]  # fmt: skip
    assert rows(tmp_path, "SELECT run, part, row_count FROM strata_exports ORDER BY run") == [
        (RUN, "outputs", 2), (NEXT, "outputs", 4),
    ]  # fmt: skip


def test_appending_the_same_twice_is_appending_once(tmp_path: Path) -> None:
    db = sink(tmp_path, mode="append", key_fields=[])
    assert [db.write(ROWS, run_id=run).written for run in (RUN, RUN, NEXT)] == [2, 0, 2]
    assert len(rows(tmp_path)) == 4


def test_other_rows_of_the_same_part_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    db = sink(tmp_path)
    db.write(ROWS, run_id=RUN)
    with pytest.raises(ExportError, match="already holds other rows"):
        db.write(ROWS[:1], run_id=RUN)
    with pytest.raises(ExportError, match="no usable value for its key 'chunk'"):
        db.write([{"doc": "c.md"}], run_id=NEXT)
    assert len(rows(tmp_path)) == 2


def test_a_failure_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    db = sink(tmp_path)
    db.write(ROWS, run_id=RUN)
    with pytest.raises(ExportError) as caught:
        db.write([{"doc": "c.md", "chunk": 1}, {"doc": "c.md", "chunk": "not a number"}], run_id=NEXT)
    assert str(tmp_path / "out/a.duckdb") in caught.value.message
    assert len(rows(tmp_path)) == 2
    assert db.write([{"doc": "c.md", "chunk": 1}], run_id=NEXT).written == 1


def test_names_do_not_break_out(tmp_path: Path) -> None:
    evil = 'x"; DROP TABLE answers; --'
    sink(tmp_path).write([{**ROWS[0], evil: evil, "per %s cent": 1}], run_id=RUN)
    assert rows(tmp_path, f"SELECT {quoted(evil)}, {quoted('per %s cent')} FROM answers") == [(evil, 1)]
    with pytest.raises(ExportError, match="cannot name a column"):
        sink(tmp_path).write([{**ROWS[0], "é" * 32: 1}], run_id=NEXT)


# --- statements


def test_statements_hold_what_they_are_given() -> None:
    role = "arn:aws:iam::1:role/r"
    assert unload_statement("select 'a\\b' from t;", "s3://b/p/", role, kms_key="k", region="eu-central-1") == (
        "UNLOAD ('select ''a\\\\b'' from t') TO 's3://b/p/' IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT AS PARQUET "
        "MANIFEST KMS_KEY_ID 'k' ENCRYPTED REGION AS 'eu-central-1'"
    )
    assert copy_statement("strata_stage", ["a", 'b"'], "s3://b/m", role, region=None) == (
        'COPY strata_stage ("a", "b""") FROM \'s3://b/m\' IAM_ROLE \'arn:aws:iam::1:role/r\' MANIFEST GZIP '
        "FORMAT AS JSON 'auto' TIMEFORMAT 'auto'"
    )
    assert merge_statement(Target("s.t", ("k",), ("k", "v"))) == (
        'MERGE INTO "s"."t" USING strata_stage ON "s"."t"."k" = strata_stage."k" '
        'WHEN MATCHED THEN UPDATE SET "v" = strata_stage."v" '
        'WHEN NOT MATCHED THEN INSERT ("k", "v") VALUES (strata_stage."k", strata_stage."v")'
    )
    with pytest.raises(StrataError):
        literal("a\0b")


def test_redshift_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="needs host, user, key, staging, iam_role"):
        redshift.exporter(settings(type="redshift"), Place("db", tmp_path, Given(), {}))


# --- a real PostgreSQL


@pytest.fixture(scope="module")
def cluster() -> Iterator[clusters.Postgres]:
    with clusters.postgres() as running:
        yield running


def server_sink(cluster: clusters.Postgres, root: Path, **values: object) -> postgres.Postgres:
    given = settings(type="postgres", database="tracking", host=str(cluster.socket), user=cluster.user, **values)
    return postgres.exporter(given, Place("db", root, Given(), {}))


@pytest.mark.heavy
def test_postgres_merges_in_one_transaction(cluster: clusters.Postgres, tmp_path: Path) -> None:
    db = server_sink(cluster, tmp_path)
    assert [db.write(ROWS, run_id=RUN).written for _ in range(2)] == [2, 0]
    more = [ROWS[0], {"doc": "a.md", "chunk": 2, "text": "new"}, {"doc": "b.md", "chunk": 1, "note": "x"}]
    assert db.write(more, run_id=NEXT).written == 2
    assert cluster.ask("SELECT chunk, text, score, ok, meta, vector, note FROM answers ORDER BY doc, chunk") == [
        (1, ROWS[0]["text"], 1.0, None, {"a": [1, None]}, None, None),
        (2, "new", None, True, None, [1, 0.25], None),
        (1, None, None, None, None, None, "x"),
    ]
    with pytest.raises(ExportError, match="zero byte"):
        db.write([{"doc": "z", "chunk": 1, "text": "\0"}], run_id="another")
    with pytest.raises(ExportError) as caught:
        db.write([{"doc": "z", "chunk": 1}, {"doc": "z", "chunk": "x"}], run_id="another")
    assert caught.value.kind == "invalid"
    assert cluster.ask("SELECT count(*) FROM answers") == [(3,)]


@pytest.mark.heavy
def test_postgres_takes_what_is_in_a_table_of_yours(cluster: clusters.Postgres, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(host=str(cluster.socket), user=cluster.user, dbname="tracking") as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS own")
        connection.execute("CREATE TABLE own.dated (id uuid, day date NOT NULL, price numeric(8,2), old text)")
        connection.execute(
            "INSERT INTO own.dated VALUES ('00000000-0000-0000-0000-000000000001', '2026-01-01', 1, 'kept')"
        )
    db = server_sink(cluster, tmp_path, table="own.dated", key_fields=["id"])
    given = [{"id": f"00000000-0000-0000-0000-00000000000{n}", "day": "2026-11-21", "price": 2.5} for n in (1, 2)]
    assert db.write(given, run_id=RUN).written == 2
    assert cluster.ask("SELECT day::text, price::text, old FROM own.dated ORDER BY id") == [
        ("2026-11-21", "2.50", "kept"), ("2026-11-21", "2.50", None),
    ]  # fmt: skip


@pytest.mark.heavy
def test_many_at_once_write_once(cluster: clusters.Postgres, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        receipts = list(
            pool.map(lambda n: server_sink(cluster, tmp_path, table="raced").write(ROWS, run_id=f"r{n % 2}"), range(6))
        )
    assert sum(receipt.written for receipt in receipts) == 2
    assert cluster.ask("SELECT count(*) FROM raced") == [(2,)]


@pytest.mark.heavy
def test_a_wrong_host_or_data_base_is_told(cluster: clusters.Postgres, tmp_path: Path) -> None:
    db = server_sink(cluster, tmp_path)
    for change, kind in (({"database": "nowhere"}, "not_found"), ({"host": "/nowhere"}, "unavailable")):
        given = db.settings.model_copy(update=change)
        wrong = postgres.exporter(given, Place("db", tmp_path, Given(), {}))
        object.__setattr__(wrong, "backoff", type(wrong.backoff)(attempts=1))
        with pytest.raises(ExportError) as caught:
            wrong.write(ROWS, run_id=RUN)
        assert caught.value.kind == kind, caught.value.message


class Loading:
    """A cursor of PostgreSQL that does what Redshift's COPY does: reads what the manifest names, out of the bucket."""

    def __init__(self, cursor: Any, s3: Any, said: list[str]) -> None:
        self._cursor, self._s3, self._said = cursor, s3, said

    def __enter__(self) -> Loading:
        self._cursor.__enter__()
        return self

    def __exit__(self, *what: object) -> None:
        self._cursor.__exit__(*what)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, parameters: Any = None) -> None:
        import gzip
        import json

        self._said.append(statement)
        if not statement.startswith("COPY"):
            self._cursor.execute(statement, parameters)
            return
        table, names, bucket, key = re.fullmatch(  # type: ignore[union-attr]
            r"COPY (\S+) \((.*)\) FROM 's3://([^/]+)/([^']+)' IAM_ROLE .*", statement
        ).groups()
        for entry in json.loads(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())["entries"]:
            name = entry["url"].removeprefix(f"s3://{bucket}/")
            for line in gzip.decompress(self._s3.get_object(Bucket=bucket, Key=name)["Body"].read()).splitlines():
                self._cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_record(NULL::{table}, %s)",
                    (line.decode(),),
                )


class Warehouse:
    """A connection whose cursors load."""

    def __init__(self, connection: Any, s3: Any, said: list[str]) -> None:
        self._connection, self._s3, self._said = connection, s3, said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self) -> Loading:
        return Loading(self._connection.cursor(), self._s3, self._said)


@pytest.mark.heavy
def test_redshift_stages_copies_and_merges(cluster: clusters.Postgres, tmp_path: Path) -> None:
    said: list[str] = []
    with s3_server.serving() as server:
        server.client().create_bucket(Bucket="stage")
        given = settings(
            type="redshift", table="red", host=str(cluster.socket), user=cluster.user, key="word", database="tracking",
            staging="s3://stage/in/", iam_role="arn:aws:iam::1:role/r", endpoint=server.url,
        )  # fmt: skip
        made = redshift.exporter(given, Place("db", tmp_path, Given(word="x"), {}))

        def connection() -> Any:
            import psycopg2

            real = psycopg2.connect(host=str(cluster.socket), user=cluster.user, dbname="tracking")
            return Warehouse(real, server.client(), said)

        store = type(made.store)("db", "stage", "in/", server.client)
        db = redshift.Redshift("db", given, store, connection, {**redshift.TYPES, "json": "jsonb", "numbers": "jsonb"})
        assert [db.write(ROWS, run_id=RUN).written for _ in range(2)] == [2, 0]
        assert (
            db.write([{"doc": "a.md", "chunk": 2, "text": "new"}, {"doc": "b", "chunk": 1}], run_id=NEXT).written == 2
        )
        listed = [entry["Key"] for entry in server.client().list_objects_v2(Bucket="stage")["Contents"]]
    assert cluster.ask("SELECT chunk, text, meta FROM red ORDER BY doc, chunk") == [
        (1, ROWS[0]["text"], {"a": [1, None]}), (2, "new", None), (1, None, None),
    ]  # fmt: skip
    assert len(listed) == 4
    assert len([statement for statement in said if statement.startswith(("COPY", "MERGE"))]) == 4


def test_a_client_is_made_without_asking_anybody(hermetic: dict[str, str]) -> None:
    account = settings(type="redshift", endpoint="http://127.0.0.1:9")
    assert client("s3", account, Given(), {}).meta.endpoint_url == "http://127.0.0.1:9"
