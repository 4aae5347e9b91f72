"""DVCLive directories, and what any foreign run becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.exchange.foreign_run import ForeignRun, slug, write_run
from strata_git.exchange.from_dvclive import import_dvclive
from strata_git.load import load_yaml
from tests.index.opening import opened
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.commit("Begin")
    return repo


@pytest.fixture
def live(tmp_path: Path) -> Path:
    place = tmp_path / "work" / "dvclive"
    (place / "plots/metrics/train").mkdir(parents=True)
    (place / "metrics.json").write_text('{"train": {"loss": 0.25}, "accuracy": 0.9, "step": 1}')
    (place / "params.yaml").write_text("lr: 0.1\nlayers:\n- 3\n- 4\n")
    (place / "plots/metrics/train/loss.tsv").write_text("step\ttimestamp\tloss\n0\t1767600000000\t0.5\n1\t\t0.25\n")
    (place / "plots/metrics/accuracy.tsv").write_text("step\taccuracy\n0\tnan\n1\t0.9\n")
    return place


def test_a_dvclive_directory_becomes_a_run(repo: RepositoryBuilder, live: Path) -> None:
    made = import_dvclive(opened(repo), live)
    assert made.id == "run-2026-01-05-001"
    config = load_yaml(repo.read(f"{made.path}/config.yaml")).value
    assert isinstance(config, dict)
    assert (config["experiment"], config["params"]) == ("work", {"lr": 0.1, "layers": [3, 4]})
    assert json.loads(repo.read(f"{made.path}/metrics.json")) == {"accuracy": 0.9, "train.loss": 0.25}
    points = [json.loads(line) for line in repo.read(f"{made.path}/artifacts/metrics.jsonl").splitlines()]
    assert points == [
        {"metric": "accuracy", "step": 1, "value": 0.9},
        {"at": "2026-01-05T08:00:00.000Z", "metric": "train.loss", "step": 0, "value": 0.5},
        {"metric": "train.loss", "step": 1, "value": 0.25},
    ]
    assert repo.read(f"{made.path}/artifacts/dvclive/params.yaml") == (live / "params.yaml").read_bytes()
    repo.commit(made.message)
    repo.strata("doctor", "--strict").expect(0)


def test_the_command_says_what_to_type_next(repo: RepositoryBuilder, live: Path) -> None:
    done = repo.strata("import", "dvclive", str(live)).expect(0)
    assert "git add runs/run-2026-01-05-001 && git commit -m 'Import run-2026-01-05-001 from dvclive'" in done.err


def test_links_and_other_directories_are_refused(repo: RepositoryBuilder, live: Path, tmp_path: Path) -> None:
    (live / "artifacts").symlink_to("/etc")
    with pytest.raises(StrataError, match="is a link"):
        import_dvclive(opened(repo), live)
    with pytest.raises(StrataError, match=r"holds no metrics\.json"):
        import_dvclive(opened(repo), tmp_path)
    assert not (repo.path / "runs").exists()
    assert [path.name for path in (repo.path / ".strata/local/pending").iterdir()] == [".lock"]


def test_the_code_is_what_the_run_names_where_that_is_here(repo: RepositoryBuilder) -> None:
    head = repo.head
    repo.commit("Later", {"x": "y"})
    run = ForeignRun("mlflow", "a test", "one", "failed", NOW, NOW, commit=head, tags={"a\x1bb": "c"})
    made = write_run(opened(repo), run)
    record = load_yaml(repo.read(f"{made.path}/run.yaml")).value
    assert isinstance(record, dict)
    assert (record["code"]["commit"], record["error"]) == (head, "mlflow recorded the run as failed")
    other = write_run(opened(repo), ForeignRun("mlflow", "a test", "one", "killed", NOW, None, commit="f" * 40))
    record = load_yaml(repo.read(f"{other.path}/run.yaml")).value
    assert isinstance(record, dict)
    assert record["code"]["commit"] == repo.head
    assert b"which is not here" in repo.read(f"{other.path}/logs.txt")


@pytest.mark.parametrize(
    ("text", "name"), [("My Exp/1", "my-exp-1"), ("..", "x"), ("é" * 90, "x"), ("a" * 99, "a" * 60)]
)
def test_names_are_made_ours(text: str, name: str) -> None:
    assert slug(text, "x") == name
