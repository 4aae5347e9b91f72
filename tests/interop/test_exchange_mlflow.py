"""MLflow's own client reads what we register, and what it holds comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.exchange.from_mlflow import import_mlflow
from strata_git.exchange.mlflow_registry import store, to_mlflow
from strata_git.load import load_yaml
from tests.exchange.converting import story, subject
from tests.index.opening import close_all, opened
from tests.ledger.lab import Lab
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]  # other people's code


@pytest.fixture
def repo(builder: Builder) -> Any:
    yield story(builder())
    close_all()


def client_of(uri: str) -> Any:
    from strata_git.runs.mlflow import reading_client

    return reading_client(uri)


def test_a_version_is_registered_once_with_the_stage_as_alias(
    repo: RepositoryBuilder, keys: Keys, tmp_path: Path
) -> None:
    lab = Lab(repo, keys)
    lab.promote()
    uri = f"sqlite:///{tmp_path}/store/mlflow.db"
    (tmp_path / "store").mkdir()
    place = store({}, tmp_path / "unused", "forest", uri=uri)
    told = to_mlflow(opened(repo), subject(repo, "forest@v1"), place)
    assert (told.model, told.version, told.aliases, len(told.made)) == ("forest", "1", ("staging",), 2)

    client = client_of(uri)
    version = client.get_model_version_by_alias("forest", "staging")
    assert version.tags["strata.digest"] == subject(repo, "forest@v1").record.digest
    run = client.get_run(version.run_id)
    assert (run.info.run_name, run.info.status) == ("run-2026-01-05-001", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1767614400000, 1767614409000)
    assert (run.data.metrics["accuracy"], run.data.params["params.trees"]) == (0.9, "10")
    content = subject(repo, "iris@v1").record.content_hash or ""
    (read,) = run.inputs.dataset_inputs
    assert (read.dataset.name, read.dataset.digest) == ("iris@v1", content.removeprefix("sha256:")[:36])
    assert json.loads(read.dataset.source) == {"source": "datasets/iris@v1", "digest": content}
    listed = {file.path for file in client.list_artifacts(version.run_id, "models/forest/v1")}
    assert "models/forest/v1/model.skops" in listed
    assert (tmp_path / "store" / "mlartifacts").is_dir()

    lab.promote()
    told = to_mlflow(opened(repo), subject(repo, "forest@v1"), place)
    assert (told.version, told.aliases, told.made) == ("1", ("production",), ())
    given = client.get_registered_model("forest").aliases
    assert {alias: str(version) for alias, version in given.items()} == {"production": "1"}

    # ... and back again: the registered version becomes a run that a model can be made of
    made = import_mlflow(opened(repo), "models:/forest/1", uri)
    assert (made.model, made.run.id) == ("forest", "run-2026-01-05-002")
    said = json.loads(repo.read(f"{made.run.path}/artifacts/model.json"))
    assert (said["artifact"], said["metrics"]["accuracy"]["value"]) == ("model/model.skops", 0.9)
    repo.commit(made.run.message)
    repo.strata("doctor", f"runs/{made.run.id}").expect(0)
    repo.strata("model", "create", "forest", "--run", made.run.id).expect(0)
    assert repo.read("models/forest/v2/model.skops") == repo.read("models/forest/v1/model.skops")


def test_a_run_comes_in_with_steps_params_and_files(repo: RepositoryBuilder, tmp_path: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = client_of(uri)
    experiment = client.create_experiment("My Exp/1", artifact_location=(tmp_path / "files").as_uri())
    tags = {"team": "a", "mlflow.user": "bob", "mlflow.source.git.commit": repo.head}
    run = client.create_run(experiment, start_time=1767614400000, tags=tags).info.run_id
    client.log_param(run, "lr", "0.1")
    client.log_param(run, "note", "x: y")
    for step in range(3):
        client.log_metric(run, "loss", 1 / (step + 1), step=step, timestamp=1767614400000 + step)
    client.log_metric(run, "broken", float("nan"))
    client.log_text(run, "hello", "sub/file.txt")
    dataset = Dataset("cows", "abc123", "local", '{"uri": "cows.csv"}', profile='{"num_rows": 3}')
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    parts = [
        client.create_run(experiment, start_time=1767614400000 + n, tags={"mlflow.parentRunId": run}).info.run_id
        for n in range(2)
    ]
    for number, part in enumerate(parts):
        client.log_metric(part, "loss", number)
        client.set_terminated(part, end_time=1767614460000)
    with pytest.raises(StrataError, match="is running"):
        import_mlflow(opened(repo), run, uri)
    client.set_terminated(run, end_time=1767614460000)

    whole = import_mlflow(opened(repo), run, uri, nested=True)
    made = whole.run
    assert [one.id for one in whole.nested] == ["run-2026-01-05-003", "run-2026-01-05-004"]
    for number, one in enumerate(whole.nested):
        said = load_yaml(repo.read(f"{one.path}/config.yaml")).value
        assert isinstance(said, dict)
        assert said["tags"] == {"mlflow.run": parts[number], "mlflow.parent": run, "strata.parent": made.id}
    (data,) = json.loads(repo.read(f"{made.path}/artifacts/mlflow-datasets.json"))["datasets"]
    assert (data["name"], data["digest"], data["profile"]) == ("cows", "abc123", '{"num_rows": 3}')
    config = load_yaml(repo.read(f"{made.path}/config.yaml")).value
    record = load_yaml(repo.read(f"{made.path}/run.yaml")).value
    assert isinstance(config, dict)
    assert isinstance(record, dict)
    assert (config["experiment"], config["params"]) == ("my-exp-1", {"lr": 0.1, "note": "x: y"})
    assert config["tags"] == {"mlflow.run": run, "team": "a"}
    assert (record["started"], record["finished"]) == ("2026-01-05T12:00:00Z", "2026-01-05T12:01:00Z")
    assert record["code"]["commit"] == repo.head
    assert len(repo.read(f"{made.path}/artifacts/metrics.jsonl").splitlines()) == 3
    assert json.loads(repo.read(f"{made.path}/metrics.json")) == {"loss": 1 / 3}
    assert repo.read(f"{made.path}/artifacts/mlflow/sub/file.txt") == b"hello"
    assert b"bob" not in b"".join(path.read_bytes() for path in (repo.path / made.path).rglob("*") if path.is_file())

    # ... and out again, a part before what it is part of: steps, nesting and times are what they were
    repo.commit("Import")
    place = store({}, tmp_path / "unused", "again", uri=f"sqlite:///{tmp_path}/again.db")
    there = [to_mlflow(opened(repo), subject(repo, one), place).run for one in (whole.nested[0].id, made.id, made.id)]
    there.append(to_mlflow(opened(repo), subject(repo, whole.nested[1].id), place).run)
    assert there[1] == there[2]
    again = client_of(place.uri)
    assert [again.get_run(one).data.tags.get("mlflow.parentRunId") for one in there] == [
        there[1], None, None, there[1],
    ]  # fmt: skip
    told = [(one.step, one.value, one.timestamp) for one in again.get_metric_history(there[1], "loss")]
    assert sorted(told) == [(step, 1 / (step + 1), 1767614400000 + step) for step in range(3)]
    assert again.get_run(there[1]).data.tags["team"] == "a"

    with pytest.raises(StrataError, match="could not be read from MLflow"):
        import_mlflow(opened(repo), "0" * 32, uri)
    with pytest.raises(StrataError, match="no MLflow database"):
        import_mlflow(opened(repo), run, f"sqlite:///{tmp_path}/other.db")
    assert not (tmp_path / "other.db").exists()
    with pytest.raises(UsageError):
        import_mlflow(opened(repo), "models:/x/latest", uri)
