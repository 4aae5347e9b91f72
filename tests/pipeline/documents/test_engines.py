"""Documents read on every engine: the same files, byte for byte, and nobody left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from strata_git.errors import StrataError
from strata_git.runs import engines
from tests.pipeline.chain.working import chain, outputs, prepared
from tests.support import broken_corpus as made
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

pytestmark = pytest.mark.heavy
LISTED = ("documents.jsonl", "chunks.jsonl", "sources.jsonl", "report.json", "report.md")


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = prepared(builder().workspace())
    repo.write({f"docs/n{number}.txt": f"Number {number}. " * (number + 1) for number in range(12)})
    repo.write({"docs/page.html": "<!doctype html><h1>Page</h1>", "docs/broken.pdf": made.pdf()[:40]})
    return repo


def processed(repo: RepositoryBuilder, *words: str) -> dict[str, bytes]:
    told: dict[str, Any] = json.loads(
        repo.strata("process", "--connector", "docs", "--format", "json", *words).expect(0).out
    )
    home: Path = repo.path / told["path"] / "artifacts"
    return {name: (home / name).read_bytes() for name in LISTED}


@pytest.mark.parametrize("engine", ["loky", "dask", "ray"])
def test_every_engine_reads_the_same(repo: RepositoryBuilder, engine: str) -> None:
    here = processed(repo, "--jobs", "2")
    assert (here["sources.jsonl"].count(b"\n"), json.loads(here["report.json"])["documents"]) == (17, 16)
    assert processed(repo, "--engine", engine, "--jobs", "2") == here
    if engine == "loky":
        first, other = (
            json.loads(repo.strata("run", "--chain", chain(repo), "--format", "json", *more).expect(0).out)["id"]
            for more in ((), ("--set", "execution.engine=loky", "--set", "execution.jobs=2"))
        )
        assert outputs(repo, first) == outputs(repo, other)


def test_what_cannot_be_asked_of_an_engine_is_told_before_anything_is_read(repo: RepositoryBuilder) -> None:
    said = repo.strata("process", "--connector", "docs", "--engine", "loky", "--scheduler", "tcp://127.0.0.1:9")
    assert "--scheduler goes with --engine dask or ray" in said.expect(64).err
    assert not (repo.path / "runs").exists()


def test_an_engine_whose_processes_die_ends_the_run(tmp_path: Path) -> None:
    with engines.calling("loky", 1, "", tmp_path) as call:
        assert call(abs, -3) == 3
        with pytest.raises(StrataError, match="died again and again"):
            call(os._exit, 3)
        assert call(abs, -4) == 4
