"""The index as Parquet files, asked by DuckDB; and through the command line."""

from __future__ import annotations

import builtins
import hashlib
import json
from pathlib import Path

import duckdb
import pytest

from strata_git.contracts.index_document import IndexDocument
from strata_git.errors import StrataError
from strata_git.index.export import index_document
from strata_git.index.tables import COLUMNS, write_tables
from tests.index.opening import indexed, opened
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def story(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    repo.git("checkout", "-q", "-b", "side")
    repo.dataset("wine")
    repo.commit("wine")
    repo.git("checkout", "-q", "main")
    repo.git("tag", "-a", "-m", "x", "forest@v1.0.0")
    return repo


def ask(directory: Path, question: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as db:
        for name in COLUMNS:
            db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{directory / name}.parquet')")
        return db.execute(question).fetchall()


def test_the_tables_say_what_the_document_says(story: RepositoryBuilder) -> None:
    story.strata("index", "--parquet", "out", "--json", "index.json").expect(0)
    out = story.path / "out"
    assert {path.name for path in out.iterdir()} == {f"{name}.parquet" for name in COLUMNS}
    document = json.loads(story.read("index.json"))
    listed = document["artifacts"] + document["elsewhere"]
    assert {row[0] for row in ask(out, "SELECT reference FROM artifacts")} == {one["reference"] for one in listed}
    assert ask(out, "SELECT reference FROM artifacts WHERE place = 'elsewhere'") == [("datasets/wine@v1",)]
    metrics = {(one["reference"], name, value) for one in listed for name, value in one["metrics"].items()}
    assert set(ask(out, "SELECT reference, metric, value FROM metrics")) == metrics
    edges = {(edge["source"], edge["target"], edge["relation"]) for edge in document["edges"]}
    assert set(ask(out, "SELECT source, target, relation FROM edges")) == edges
    assert ask(out, "SELECT tag, version, sound FROM events") == [("forest@v1.0.0", 1, False)]
    (when,) = ask(out, "SELECT introduced_date::VARCHAR FROM artifacts WHERE name = 'iris'")[0]
    assert str(when).startswith("2026-01-05 12:")


def test_a_file_is_found_by_its_digest(story: RepositoryBuilder) -> None:
    write_tables(opened(story), indexed(story), story.path / "out")
    data = artifacts.dataset("iris")["datasets/iris/v1/train.csv"]
    question = (
        f"SELECT reference, path, bytes FROM files WHERE sha256 = '{hashlib.sha256(data).hexdigest()}' ORDER BY 1"
    )
    assert ask(story.path / "out", question) == [
        ("datasets/iris@v1", "train.csv", len(data)), ("datasets/wine@v1", "train.csv", len(data))
    ]  # fmt: skip


def test_the_same_index_gives_the_same_bytes(story: RepositoryBuilder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tables(opened(story), indexed(story), tmp_path / name)
    for name in COLUMNS:
        assert (tmp_path / f"a/{name}.parquet").read_bytes() == (tmp_path / f"b/{name}.parquet").read_bytes()


def test_an_empty_repository_has_empty_tables(builder: Builder, tmp_path: Path) -> None:
    repo = builder().workspace()
    write_tables(opened(repo), indexed(repo), tmp_path / "out")
    assert ask(tmp_path / "out", "SELECT count(*) FROM artifacts") == [(0,)]


def test_without_pyarrow_one_sentence_says_so(
    story: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    index = indexed(story)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(StrataError, match="pyarrow") as caught:
        write_tables(opened(story), index, tmp_path / "out")
    assert caught.value.hint == "pip install 'git-strata[exchange]'"
    assert not (tmp_path / "out").exists()


def test_the_document_follows_its_schema(story: RepositoryBuilder) -> None:
    from jsonschema import Draft7Validator

    schema = json.loads((Path(__file__).parents[2] / "tfc/schemas/answers/index.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    document = json.loads(json.dumps(index_document(indexed(story))))
    assert document["artifacts"]
    assert document["elsewhere"]
    assert document["stages"]
    assert document["complaints"]
    assert list(Draft7Validator(schema).iter_errors(document)) == []
    assert IndexDocument.model_validate(document).model_dump(by_alias=True, exclude_unset=True) == document
    for broken in ({"revision": "HEAD"}, {"artifacts": [{}]}, {"schema": "strata/index/v2"}, {"counts": {}}):
        assert list(Draft7Validator(schema).iter_errors(document | broken))


def test_the_past_by_the_clock(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    first = repo.commit("Add")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("On a branch, not on the line", {"a.txt": "a"})
    repo.git("checkout", "-q", "main")
    repo.dataset("iris", "v2")
    repo.commit("Add the next", None, "--date=2026-01-01T00:00:00Z")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    when = repo.git("show", "-s", "--format=%cI", first)
    assert repo.strata("index", "--at-time", when).expect(0).out.startswith(f"revision {first}\n  1 dataset,")
    assert "2 datasets" in repo.strata("index", "--at-time", "2026-01-05").expect(0).out
    assert "has no commit of 2025-12-31" in repo.strata("index", "--at-time", "2025-12-31").expect(3).err
    assert "is no moment" in repo.strata("index", "--at-time", "yesterday").expect(64).err
