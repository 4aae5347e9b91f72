"""MLflow shows what the record says, read back through its own client; nobody outside is called."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from strata_git.load import load_json
from tests.runs.running import pending, record_of, visible
from tests.support.builder import RepositoryBuilder
from tests.support.process import run as run_program

EXPERIMENTS = Path(__file__).parents[2] / "templates/workspace/experiments"
AUDIT = """
import sys
def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{args[1:]}}\\n")
sys.addaudithook(hook)
"""


READ = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
shown = {}
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        shown[run.info.run_name] = {
            "experiment": experiment.name, "status": run.info.status, "metrics": run.data.metrics,
            "params": run.data.params, "tags": run.data.tags, "uri": run.info.artifact_uri,
            "artifacts": [one.path for one in client.list_artifacts(run.info.run_id)],
            "inputs": [[one.dataset.name, one.dataset.digest] for one in run.inputs.dataset_inputs],
        }
json.dump(shown, sys.stdout)
"""


def shown(repo: RepositoryBuilder, uri: str = "") -> dict[str, Any]:
    """Run name -> what MLflow's client says of it, over all experiments (in a process of its own)."""
    place = uri or f"sqlite:///{repo.path}/.strata/local/mlflow.db"
    environ = {**repo.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    return run_program(sys.executable, "-c", READ, place, cwd=repo.path, environ=environ).expect(0).json()


@pytest.mark.extras
def test_a_run_is_shown_as_it_is_recorded(repo: RepositoryBuilder, tmp_path: Path) -> None:
    log = tmp_path / "connections"
    (Path(repo.environ["PYTHONPATH"]) / "sitecustomize.py").write_text(AUDIT.format(log=str(log)))
    repo.write({"synthetic.yaml": (EXPERIMENTS / "synthetic.yaml").read_bytes()}).commit("Add an experiment")
    options = ("--set", "params.n_estimators=5", "--tag", "why=test", "--format", "json")
    done = repo.strata("run", "synthetic.yaml", *options).expect(0)
    told = done.json()
    run = str(told["id"])
    recorded = load_json(repo.read(f"runs/{run}/metrics.json")).value
    seen = shown(repo)[run]
    assert seen["metrics"] == recorded == told["metrics"]
    assert len(seen["metrics"]) > 8
    assert (seen["status"], seen["experiment"]) == ("FINISHED", "synthetic")
    assert seen["tags"]["mlflow.source.git.commit"] == repo.head == record_of(repo, run).code.commit
    assert (seen["tags"]["strata.run"], seen["tags"]["why"]) == (run, "test")
    assert (seen["params"]["params.n_estimators"], seen["params"]["seed"]) == ("5", "7")
    drawn = {"confusion_matrix.png", "roc_curve.png", "calibration.png", "feature_importance.png"}
    drawn |= {"model.skops", "data_summary.json", "predictions.csv", "feature_importance.csv"}
    assert set(seen["artifacts"]) == drawn
    copied = Path(seen["uri"].removeprefix("file://")) / "model.skops"
    assert copied.is_relative_to(repo.path / ".strata/local/mlartifacts")
    assert copied.read_bytes() == repo.read(f"runs/{run}/artifacts/model.skops")
    assert not log.exists(), log.read_text()
    assert not any((Path(repo.environ["HOME"]) / name).exists() for name in (".mlflow", "mlruns"))


@pytest.mark.heavy
def test_a_killed_run_is_shown_as_killed_once_the_next_one_began(repo: RepositoryBuilder) -> None:
    command = [sys.executable, "-m", "strata_git", "run", "toy.yaml", "--set", "params.mode=sleep"]
    process = subprocess.Popen(command, cwd=repo.path, env=repo.environ, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if any(b"asleep" in log.read_bytes() for log in repo.path.glob(".strata/local/pending/*/record/logs.txt")):
                break
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    (killed,) = pending(repo)
    told = repo.strata("run", "toy.yaml").expect(0)
    assert f"runs/{killed}: an earlier run that was killed is now on record" in told.err
    assert record_of(repo, killed).status == "killed"
    assert {name: run["status"] for name, run in shown(repo).items()}[killed] == "KILLED"


@pytest.mark.extras
def test_the_environment_chooses_server_and_experiment(repo: RepositoryBuilder, tmp_path: Path) -> None:
    elsewhere = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/other.db", "MLFLOW_EXPERIMENT": "trial"}
    failing = repo.strata("run", "--experiment", "toy.yaml", "--set", "params.mode=fail", env=elsewhere).expect(3)
    assert "the oven is cold" in failing.err
    assert not (repo.path / ".strata/local/mlflow.db").exists()
    (seen,) = shown(repo, elsewhere["MLFLOW_TRACKING_URI"]).values()
    assert (seen["experiment"], seen["status"], seen["metrics"]) == ("trial", "FAILED", {"before": 1.0})


@pytest.mark.heavy
def test_a_store_that_cannot_be_used_costs_no_run_and_loses_nothing(repo: RepositoryBuilder) -> None:
    place = repo.path / ".strata/local/mlflow.db"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"this is not a database, it is a sentence. " * 200)
    told = repo.strata("run", "toy.yaml", "--format", "json").expect(0)
    assert "tracking waits, the record is complete: " in told.err
    assert "git strata runs sync" in told.err
    answer = told.json()
    assert (answer["tracked"], answer["status"]) == (False, "succeeded")
    (run,) = visible(repo)
    assert pending(repo) == []
    refused = repo.strata("runs", "sync").expect(3)
    assert f"If {place} is damaged or of another MLflow version, move it away" in refused.err
    place.unlink()
    assert f"{run}  sent" in repo.strata("runs", "sync").expect(0).out
    assert shown(repo)[run]["metrics"] == load_json(repo.read(f"runs/{run}/metrics.json")).value
    assert "nothing waits" in repo.strata("runs", "sync").expect(0).err


@pytest.mark.extras
def test_what_is_meant_for_a_server_that_is_away_waits_for_it(repo: RepositoryBuilder) -> None:
    away = {"MLFLOW_TRACKING_URI": "http://bob:hunter2@127.0.0.1:9"}
    begun = time.monotonic()
    told = repo.strata("run", "toy.yaml", env=away).expect(0)
    assert time.monotonic() - begun < 30  # MLflow by itself asks on for minutes
    assert "tracking waits, the record is complete: the server cannot be reached: Connection refused" in told.err
    (run,) = visible(repo)
    assert record_of(repo, run).status == "succeeded"
    refused = repo.strata("runs", "sync", "--format", "json", env=away).expect(3)
    waits = {
        "run": run,
        "state": "waiting",
        "reason": "the server cannot be reached: Connection refused",
        "refused": [],
    }
    assert refused.json()["runs"] == [waits]
    elsewhere = repo.strata("runs", "sync").expect(3)
    assert f"{run}  waiting  for http://127.0.0.1:9" in elsewhere.out
    assert "git strata runs sync --elsewhere" in elsewhere.err
    queue = repo.path / f".strata/local/tracking/{run}.jsonl"
    assert b"hunter2" not in queue.read_bytes()
    queue.write_bytes(b"\0" * 100)
    for _ in range(2):
        damaged = repo.strata("runs", "sync").expect(0)
        assert f"{run}  damaged  kept as {run}.damaged" in damaged.out
