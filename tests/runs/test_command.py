"""`git strata run` and `git strata plugins`, from outside."""

from __future__ import annotations

import sys

import pytest

from tests.runs.running import visible
from tests.support.builder import RepositoryBuilder
from tests.support.process import run

WITHOUT = (
    "import sys; sys.modules[{module!r}] = None; from strata_git.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.extras
def test_plugins_are_listed_with_their_state(repo: RepositoryBuilder) -> None:
    listed = repo.strata("plugins").expect(0).out
    assert "ready   Does what params.mode says." in listed
    assert "broken" in listed
    answer = repo.strata("plugins", "--format", "json").expect(0).json()
    assert answer["schema"] == "strata/plugins/v1"


@pytest.mark.parametrize(
    ("module", "extra", "options"), [("mlflow", "runs", ("--tracking", "mlflow")), ("sklearn", "sklearn", ())]
)
def test_without_its_extra_a_run_says_what_to_install(
    repo: RepositoryBuilder, module: str, extra: str, options: tuple[str, ...]
) -> None:
    repo.write({"e.yaml": "plugin: sklearn\ndata_spec: {kind: synthetic}\nparams: {model: random_forest}\n"})
    code = WITHOUT.format(module=module)
    told = run(sys.executable, "-c", code, "run", "e.yaml", *options, cwd=repo.path, environ=repo.environ).expect(3)
    assert f"pip install 'git-strata[{extra}]'" in told.err
    assert not (repo.path / ".strata").exists()


def test_what_is_not_there_is_a_usage_error(repo: RepositoryBuilder) -> None:
    assert "Which experiment?" in repo.strata("run").expect(64).err
    repo.write({"experiments/one.yaml": "plugin: toy\n"})
    assert "experiments/one.yaml" in repo.strata("run", "absent.yaml").expect(64).err
    repo.strata("run", "toy.yaml", "--set", "seed").expect(64)
    assert visible(repo) == []


def test_a_run_tells_where_what_and_next_and_can_commit_itself(repo: RepositoryBuilder) -> None:
    done = repo.strata("run", "toy.yaml", "--set", "params.mode=model", "--commit").expect(0)
    (name,) = visible(repo)
    assert done.out.splitlines()[0] == f"runs/{name}  succeeded"
    assert "test_score  0.5" in done.out
    assert "committed " in done.err
    assert f"git strata model create toy --run {name}" in done.err
    assert repo.git("status", "--porcelain") == ""
    made = repo.strata("model", "create", "toy", "--run", name, "--commit").expect(0)
    assert "models/toy/v1" in made.out
    assert repo.git("log", "-1", "--format=%s") == f"Add models/toy@v1 from {name}"
