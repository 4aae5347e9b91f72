"""examples/scripts, as its README tells: two scripts and a notebook become runs, and the runs a model."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.authoring.model import create_model
from strata_git.config import Settings
from strata_git.runs.execute import RunOutcome
from strata_git.runs.reuse import reuse
from strata_git.runs.spec import RunSpec, load_spec
from tests.runs.running import opened, perform, record_of
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed, short_directory

EXAMPLE = Path(__file__).parents[2] / "examples/scripts"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("scripts")
    made = create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main").workspace()
    files = [path for path in EXAMPLE.rglob("*") if path.is_file() and path.name != "README.md"]
    made.write({path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in files})
    made.commit("Begin")
    yield made
    home.rmdir()


def said(name: str, *overrides: str) -> RunSpec:
    return load_spec((EXAMPLE / f"experiments/{name}.yaml").read_bytes(), file=f"{name}.yaml", overrides=overrides)


@pytest.fixture(scope="module")
def clean(repo: RepositoryBuilder) -> RunOutcome:
    done = perform(repo, said("clean"))
    assert done.status == "succeeded", done.error
    repo.commit("Clean")
    return done


def test_a_step_reads_the_run_of_the_step_before(repo: RepositoryBuilder, clean: RunOutcome) -> None:
    assert dict(clean.metrics) == {"kept": 56, "rows": 60}
    done = perform(repo, said("fit", f"inputs.clean={clean.id}"))
    assert done.status == "succeeded", done.error
    assert [(one.name, one.ref) for one in record_of(repo, done.id).inputs] == [("clean", clean.id)]
    line = json.loads(repo.read(f"{done.path}/artifacts/line.json"))
    assert -1.5 < line["slope"] < -1.1
    repo.commit("Fit")
    made = create_model(opened(repo), Settings(), "heating", done.id)
    assert json.loads(repo.read(f"{made.artifact.path}/line.json")) == line
    repo.commit("Add heating")
    repo.strata("doctor").expect(0)


def test_what_did_not_change_is_not_computed_again(repo: RepositoryBuilder, clean: RunOutcome) -> None:
    assert reuse(opened(repo), said("clean")) == clean.id
    assert reuse(opened(repo), said("clean", "params.largest=50")) is None


@pytest.mark.heavy
def test_the_notebook_is_executed_on_the_same_table(repo: RepositoryBuilder, clean: RunOutcome) -> None:
    done = perform(repo, said("report", f"inputs.clean={clean.id}"))
    assert done.status == "succeeded", done.error
    assert 0 < done.metrics["all_mae"] < done.metrics["all_worst"]
