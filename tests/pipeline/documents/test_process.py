"""`git strata process`: one run, its artifacts and its report; the same sources give the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from strata_git.errors import UsageError
from strata_git.load import load_yaml
from strata_git.pipeline.documents import elsewhere
from strata_git.pipeline.documents.reading import Plan, read
from strata_git.pipeline.process import ProcessPlugin, lines_of, shown
from strata_git.pipeline.process_report import page
from strata_git.pipeline.sources.local import Local
from strata_git.runs import engines
from strata_git.runs.spec import RunSpec
from tests.support import broken_corpus as made
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

SETTINGS = {
    "connectors": {"docs": {"type": "local", "root": "./docs"}},
    "processing": {"chunking": {"by": "tokens", "max": 30, "overlap": 5}, "max_bytes": 1 << 20, "timeout_s": 20},
}
DOCUMENTS: dict[str, bytes | str | None] = {
    "docs/a.md": "# Title\n\n" + "Some words to cut. " * 40,
    "docs/b.csv": "name,total\nx,=1+1\n",
    "docs/c.html": "<!doctype html><h1>Page</h1>",
    "docs/d.xlsx": made.workbook('<row r="1"><c r="A1"><v>1</v></c></row>'),
    "docs/e.png": made.png(),
    "docs/broken.pdf": made.pdf()[:40],
    "docs/left/bomb.docx": made.archive({"word/document.xml": b" " * (10 << 20)}),
    "docs/\x1bodd\nname.txt": "words",
}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace(settings=SETTINGS).write(DOCUMENTS)
    made.commit("Documents")
    return made


def test_a_run_of_documents_and_a_version_of_them(repo: RepositoryBuilder) -> None:
    words = ("process", "--connector", "docs", "--dataset", "corpus", "--tracking", "none", "--commit")
    done = repo.strata(*words, "--format", "json").expect(0)
    told = json.loads(done.out)
    report = told["report"]
    assert (told["status"], told["dataset"], told["changed"]) == ("succeeded", "datasets/corpus@v1", True)
    assert (report["documents"], report["kinds"]) == (
        6,
        {"csv": 1, "html": 1, "markdown": 1, "png": 1, "text": 1, "xlsx": 1},
    )
    assert {one["document"]: one["why"] for one in report["left_out"]} == {
        "broken.pdf": "malformed", "left/bomb.docx": "expands"
    }  # fmt: skip
    assert [one["document"] for one in report["noted"]] == ["e.png"]
    artifacts = repo.path / told["path"] / "artifacts"
    documents = {one["id"]: one for one in lines_of(artifacts / "documents.jsonl")}
    chunks = list(lines_of(artifacts / "chunks.jsonl"))
    assert report["chunks"] == len(chunks) > 5
    assert report["tokens"] == sum(one["tokens"] for one in chunks)
    assert all(documents[one["document"]]["text"][one["start"] : one["end"]] == one["text"] for one in chunks)
    record = load_yaml(repo.read(f"{told['path']}/run.yaml")).value
    assert {one["uri"] for one in record["sources"]} >= {"docs/a.md", "docs/broken.pdf"}
    assert all("sha256" in one and "etag" in one and "modified" in one for one in record["sources"])
    parents = load_yaml(repo.read("datasets/corpus/v1/metadata.yaml")).value["provenance"]["parents"]
    assert parents == [{"ref": told["run"], "digest": f"sha256:{_digest(artifacts.parent)}"}]
    repo.strata("doctor", "--strict").expect(0)
    assert "derived from run-" in repo.strata("lineage", "corpus@v1").out

    for path in (repo.path / "docs").iterdir():
        path.touch()  # other times, the same content
    again = json.loads(repo.strata(*words, "--jobs", "1", "--format", "json").expect(0).out)
    assert (again["dataset"], again["changed"]) == ("datasets/corpus@v1", False)
    for name in ("documents.jsonl", "chunks.jsonl", "sources.jsonl", "report.json", "report.md"):
        assert (artifacts / name).read_bytes() == (repo.path / again["path"] / "artifacts" / name).read_bytes()


def _digest(record: Path) -> str:
    import hashlib

    return hashlib.sha256((record / "CHECKSUMS.txt").read_bytes()).hexdigest()


@pytest.mark.heavy
def test_what_was_left_out_is_told_and_counts_when_strict(repo: RepositoryBuilder) -> None:
    done = repo.strata(
        "process", "--connector", "docs", "--select", "**/*.pdf", "--select", "a.md", "--tracking", "none", "--strict"
    ).expect(2)
    assert "1 documents, " in done.out
    assert "broken.pdf  malformed" in done.out
    assert "git add runs/run-" in done.err


def test_what_makes_no_sense_is_refused_before_a_run(repo: RepositoryBuilder) -> None:
    assert "did you mean" in repo.strata("process", "--connector", "doc", "--tracking", "none").expect(3).err.lower()
    repo.strata("process", "--connector", "docs", "--dataset", "No Name").expect(64)
    done = repo.strata("process", "--connector", "docs", "--select", "*.none", "--tracking", "none").expect(3)
    assert "Nothing in the connector docs fits" in done.err
    with pytest.raises(UsageError, match="slect"):
        ProcessPlugin().check(RunSpec("x", "process", params={"connector": "docs", "slect": []}))
    with pytest.raises(UsageError, match="which connector"):
        ProcessPlugin().check(RunSpec("x", "process"))


def test_places_in_the_workspace_are_told_without_it(tmp_path: Path) -> None:
    assert shown((tmp_path / "docs" / "ä b.md").as_uri(), tmp_path) == "docs/ä b.md"
    assert shown("file:///elsewhere/a.md", tmp_path) == "file:///elsewhere/a.md"
    assert shown("s3://bucket/a.md", tmp_path) == "s3://bucket/a.md"


def test_the_report_is_a_page() -> None:
    told = {
        "connector": "docs", "documents": 1, "chunks": 2, "tokens": 3, "characters": 4, "bytes": 5,
        "kinds": {"text": 1},
        "tokenizer": {"counted_by": "o200k_base", "exact": False}, "noted": [{"document": "b", "notes": ["n | m"]}],
        "left_out": [{"document": "a", "why": "encrypted", "reason": "it is"}],
    }  # fmt: skip
    text = page(told)
    assert "1 documents were read, 1 were left out." in text
    assert "| a | encrypted | it is |" in text
    assert "| b | n \\| m |" in text
    assert "estimated by o200k_base" in text


@pytest.mark.heavy
def test_nothing_leaves_the_machine(repo: RepositoryBuilder) -> None:
    import sys

    from tests.flows.test_offline_runs import alone

    lost, done = alone(
        repo,
        [sys.executable, "-m", "strata_git", "process", "--connector", "docs", "--tracking", "none", "--jobs", "2"],
    )
    assert (lost, done[0][0]) == (0, 0), done


def test_an_engine_is_handed_names_of_files_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(elsewhere, "_IDLE_S", 0.01)

    @contextmanager
    def calling(name: str, jobs: int, scheduler: str, scratch: Path) -> Iterator[engines.Call]:
        def call(function: Callable[[Any], Any], value: Any) -> Any:
            asked.append(f"{name} {jobs} {scheduler} {value['name']}")
            assert "canary" not in json.dumps(value)
            return function(value)

        assert scratch.is_dir()
        yield call

    monkeypatch.setattr(engines, "calling", calling)
    for place in range(5):
        (tmp_path / f"{place}.md").write_text(f"# Title {place}")
    source = Local("docs", tmp_path)
    environ = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "canary"}
    there = read(source, source.list(), Plan(), environ=environ, jobs=1, engine="dask", scheduler="tcp://far:1")
    found = [(one.name, one.document().text) for one in there]
    assert found == [(f"{place}.md", f"# Title {place}\n") for place in range(5)]
    assert asked == [f"dask 1 tcp://far:1 {place}.md" for place in range(5)]
