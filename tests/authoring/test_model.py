"""A model version comes from a committed run that succeeded, and says where it comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from strata_git.authoring.model import create_model
from strata_git.checks.engine import judge_artifact
from strata_git.config import Settings
from strata_git.contracts.base import parse
from strata_git.contracts.layout import Artifact
from strata_git.contracts.model import ModelCard, ModelMetadata, ModelMetrics, front_matter
from strata_git.errors import StrataError, UsageError
from strata_git.integrity import checksums
from strata_git.load import dump_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.lfs import format_pointer
from strata_git.repo.tree import commit_tree
from tests.support import artifacts
from tests.support.artifacts import RUN
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.process import run as run_program

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEIGHTS = artifacts.run()[f"runs/{RUN}/artifacts/model.skops"]
COLUMN = {"name": "x", "type": "float64"}
SAID: dict[str, object] = {
    "schema": "strata/model-output/v1",
    "artifact": "model.skops",
    "format": "skops",
    "framework": "scikit-learn",
    "framework_version": "1.9.1",
    "inputs": [COLUMN],
    "outputs": [{"name": "y", "type": "int64"}],
    "trusted_types": ["sklearn.tree._tree.Tree"],
    "task": "tabular-classification",
    "metrics": {
        "test_auc": {"value": 0.75, "direction": "higher", "tolerance": 0.01, "split": "test", "n": 40},
        "loss": {"value": 0.5, "direction": "lower", "tolerance": 0.0, "split": "", "n": None},
    },
}


def recorded(repo: RepositoryBuilder, identity: str = RUN, **said: object) -> None:
    """A run with a described model, not yet committed."""
    iris = artifacts.dataset("iris")
    outputs = {"model.skops": WEIGHTS, "model.json": dump_json({**SAID, **said})}
    repo.run(identity, inputs=[artifacts.cite(iris, "datasets/iris/v1")], outputs=outputs)


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.dataset("iris")
    recorded(made)
    made.commit("Begin")
    return made


def create(repo: RepositoryBuilder, name: str = "forest", run: str = RUN, **options: str) -> Artifact:
    here = Repository.discover(repo.path, repo.environ)
    return create_model(here, Settings(), name, run, now=NOON, **options).artifact  # type: ignore[arg-type]


def test_a_model_is_written_whole(repo: RepositoryBuilder) -> None:
    here = Repository.discover(repo.path, repo.environ)
    made = create_model(here, Settings(), "forest", RUN, description="Tells species.", licence="MIT", now=NOON)
    home = made.artifact.path
    assert (home, made.run, made.message) == ("models/forest/v1", RUN, f"Add models/forest@v1 from {RUN}")
    assert repo.read(f"{home}/model.skops") == WEIGHTS
    assert made.digest == checksums.digest(repo.read(f"{home}/CHECKSUMS.txt"))
    said = parse(ModelMetadata, load_yaml(repo.read(f"{home}/metadata.yaml")))
    assert (said.run, said.created, said.licence) == (RUN, "2026-11-21T12:00:00Z", "MIT")
    assert [one.ref for one in said.datasets] == ["datasets/iris@v1"]
    assert said.trusted_types == ("sklearn.tree._tree.Tree",)
    measured = parse(ModelMetrics, load_yaml(repo.read(f"{home}/metrics.yaml"))).metrics
    assert (measured["test_auc"].split, measured["test_auc"].n, measured["loss"].split) == ("test", 40, "all")
    run_program("sha256sum", "--strict", "-c", "CHECKSUMS.txt", cwd=repo.path / home, environ=repo.environ).expect(0)
    assert sorted(path.name for path in (repo.path / "models/forest").iterdir()) == ["v1"]


def test_the_card_is_read_by_the_hub_and_by_people(repo: RepositoryBuilder) -> None:
    create(repo, description="Tells species.")
    text = repo.read("models/forest/v1/card.md")
    card = parse(ModelCard, front_matter(text))
    shown = {metric.type: metric.value for result in card.model_index[0].results for metric in result.metrics}
    assert shown == {"roc_auc": 0.75, "loss": 0.5}
    dataset = card.model_index[0].results[0].dataset
    assert dataset is not None
    assert dataset.type == "iris"
    for word in (
        "Tells species.",
        "datasets/iris@v1",
        RUN,
        "| test_auc | 0.75 | higher | test | 40 |",
        "skops.io.load",
    ):
        assert word in text.decode()


def test_the_doctors_rules_have_nothing_against_it(repo: RepositoryBuilder) -> None:
    made = create(repo)
    repo.commit("Add it")
    judged = judge_artifact(commit_tree(Repository.discover(repo.path, repo.environ), repo.head), made)
    assert [one for one in judged.findings if one.severity == "error"] == []


def test_versions_count_up_and_a_removed_one_is_never_used_again(repo: RepositoryBuilder) -> None:
    for number in (1, 2):
        assert create(repo).version == f"v{number}"
        repo.commit(f"Add v{number}")
    repo.git("rm", "-r", "--quiet", "models/forest/v2")
    repo.commit("Remove v2")
    assert create(repo).version == "v3"
    assert create(repo, "other").version == "v1"


def test_a_second_version_waits_for_the_first_to_be_committed(repo: RepositoryBuilder) -> None:
    create(repo)
    with pytest.raises(StrataError, match="one version of one model") as caught:
        create(repo)
    assert "git add models/forest/v1 && git commit" in caught.value.hint


def test_a_run_that_is_not_committed_is_refused_with_the_commands(repo: RepositoryBuilder) -> None:
    recorded(repo, "run-2026-01-05-002")
    with pytest.raises(StrataError, match="not committed") as caught:
        create(repo, run="run-2026-01-05-002")
    assert "git add runs/run-2026-01-05-002 && git commit" in caught.value.hint


@pytest.mark.parametrize(("name", "run"), [("Forest", RUN), ("a.b", RUN), ("forest", "iris@v1"), ("forest", "run-1")])
def test_malformed_words_are_usage_errors(repo: RepositoryBuilder, name: str, run: str) -> None:
    with pytest.raises(UsageError):
        create(repo, name, run)


def test_an_absent_run_is_refused(repo: RepositoryBuilder) -> None:
    with pytest.raises(StrataError, match="neither in HEAD"):
        create(repo, run="run-2026-01-05-009")


@pytest.mark.parametrize("status", ["failed", "interrupted", "killed"])
def test_only_a_run_that_succeeded_makes_a_model(repo: RepositoryBuilder, status: str) -> None:
    outputs = {"model.skops": WEIGHTS, "model.json": dump_json(SAID)}
    repo.run("run-2026-01-05-002", outputs=outputs, metadata={"status": status, "error": "cold"})
    repo.commit("Add a run")
    with pytest.raises(StrataError, match=status):
        create(repo, run="run-2026-01-05-002")


def test_a_run_without_a_model_is_refused(repo: RepositoryBuilder) -> None:
    repo.run("run-2026-01-05-002", outputs={"note.txt": b"x"})
    repo.commit("Add a run")
    with pytest.raises(StrataError, match="made no model"):
        create(repo, run="run-2026-01-05-002")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [({"metrics": {}}, "measured nothing"), ({"format": 3}, "'format' must be text"), ({"schema": "x"}, "schema")],
)
def test_a_description_that_does_not_say_enough_is_refused(
    repo: RepositoryBuilder, said: dict[str, object], complaint: str
) -> None:
    recorded(repo, "run-2026-01-05-002", **said)
    repo.commit("Add a run")
    with pytest.raises(StrataError, match=complaint):
        create(repo, run="run-2026-01-05-002")


def test_other_bytes_than_the_run_recorded_are_refused(repo: RepositoryBuilder) -> None:
    place = f"runs/{RUN}/artifacts/model.skops"
    repo.write({place: b"other weights"})
    with pytest.raises(StrataError, match="differs from HEAD") as caught:
        create(repo)
    assert "git restore" in caught.value.hint
    repo.write(
        {place: format_pointer(checksums.parse(repo.read(f"runs/{RUN}/CHECKSUMS.txt"))["artifacts/model.skops"], 1)}
    )
    with pytest.raises(StrataError, match="LFS pointer"):
        create(repo)
    repo.delete(place)
    with pytest.raises(StrataError, match="not there"):
        create(repo)
    assert not (repo.path / "models/forest/v1").exists()


def test_a_word_that_would_break_the_contract_is_refused_and_leaves_nothing(repo: RepositoryBuilder) -> None:
    with pytest.raises(StrataError, match="licence"):
        create(repo, licence="two\nlines")
    assert not list((repo.path / "models").rglob("*.yaml"))


def test_the_command_says_what_to_do_next(repo: RepositoryBuilder, tmp_path: Path) -> None:
    done = repo.strata("model", "create", "forest", "--run", RUN, "--licence", "MIT").expect(0)
    assert done.out.startswith("models/forest/v1  sha256:")
    assert "git add models/forest/v1 && git commit" in done.err
    refused = repo.strata("model", "create", "forest", "--run", RUN).expect(3)
    assert "not committed yet" in refused.err
