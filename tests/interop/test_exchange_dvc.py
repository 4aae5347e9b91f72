"""DVC itself reads our dvc.yaml, and its datasets come in (`make peers`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strata_git.exchange.convert import document
from tests.exchange.converting import story, subject
from tests.index.opening import close_all
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.process import Completed, run

pytestmark = pytest.mark.heavy

DVC = ROOT / ".venv-peers" / "bin" / "dvc"


def dvc(repo: RepositoryBuilder, *words: str) -> Completed:
    assert DVC.exists(), "run: make peers"
    return run(DVC, *words, cwd=repo.path, environ=repo.environ | {"DVC_NO_ANALYTICS": "1"}).expect(0)


@pytest.fixture
def repo(builder: Builder) -> Any:
    repo = story(builder())
    dvc(repo, "init", "--quiet")
    yield repo
    close_all()


def _write(repo: RepositoryBuilder, *references: str) -> None:
    data = document([subject(repo, reference) for reference in references], "dvc")
    (repo.path / "dvc.yaml").write_bytes(data)


def test_dvc_shows_and_compares_our_figures(repo: RepositoryBuilder) -> None:
    _write(repo, "run-2026-01-05-001", "forest@v1")
    repo.commit("Tell DVC")
    shown = json.loads(dvc(repo, "metrics", "show", "--json").out)
    data = shown[""]["data"] if "" in shown else shown["workspace"]["data"]
    assert data["runs/run-2026-01-05-001/metrics.json"]["data"] == {"accuracy": 0.9}
    repo.run("run-2026-01-05-002", metrics={"accuracy": 0.95})
    repo.commit("Another run")
    _write(repo, "run-2026-01-05-001", "run-2026-01-05-002", "forest@v1")
    differing = json.loads(dvc(repo, "params", "diff", "HEAD", "--json").out)
    assert differing["runs/run-2026-01-05-002/config.yaml"]["params.trees"]["new"] == 10
    assert "forest" in (repo.path / "dvc.yaml").read_text()
    dvc(repo, "plots", "show", "--json")


def test_a_dataset_that_dvc_tracks_comes_in(repo: RepositoryBuilder) -> None:
    repo.write({"raw/a/x.csv": "a,b\n1,2\n", "raw/y.csv": "a,b\n3,4\n"})
    dvc(repo, "add", "raw")
    repo.commit("Track")
    (repo.path / "raw" / "y.csv").unlink()  # still in the cache
    repo.strata("import", "dvc", "raw.dvc", "--name", "raw", "--split", "all=**").expect(0)
    assert repo.read("datasets/raw/v1/all/y.csv") == b"a,b\n3,4\n"
    repo.commit("Add")
    repo.strata("doctor", "datasets/raw/v1").expect(0)
