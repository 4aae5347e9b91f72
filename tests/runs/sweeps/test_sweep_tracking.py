"""What MLflow shows of a sweep, and that a sweep asks no network for anything."""

from __future__ import annotations

import os
import sys

import pytest

from tests.runs.running import visible
from tests.runs.sweeps.hill import experiment
from tests.support.builder import RepositoryBuilder
from tests.support.process import run

pytestmark = pytest.mark.heavy


def test_mlflow_shows_trials_below_their_sweep_and_the_best_by_its_record(repo: RepositoryBuilder) -> None:
    repo.write({"experiments/hill.yaml": experiment({"pits": [5]})})
    repo.strata("sweep", "experiments/hill.yaml", "--jobs", "2", "--tracking", "mlflow").expect(0)
    sweep, best = visible(repo)
    script = (
        "import json, sys; from mlflow.tracking import MlflowClient as C\n"
        "c = C(sys.argv[1]); e = c.get_experiment_by_name('hill').experiment_id\n"
        "print(json.dumps({r.info.run_name: [r.info.run_id, r.info.status, r.data.tags.get('mlflow.parentRunId'),"
        " r.data.metrics.get('val_height'), r.data.params.get('params.x'),"
        " sorted(f.path for f in c.list_artifacts(r.info.run_id)), len(r.inputs.dataset_inputs)]"
        " for r in c.search_runs([e])}))"
    )
    place = f"sqlite:///{repo.path}/.strata/local/mlflow.db"
    shown = (
        run(sys.executable, "-W", "ignore", "-c", script, place, cwd=repo.path, environ=repo.environ).expect(0).json()
    )
    whole, chosen = shown[sweep], shown[best]
    assert isinstance(whole, list)
    assert isinstance(chosen, list)
    assert sorted(shown) == sorted([sweep, best, *(f"{sweep}/{number}" for number in (0, 1, 2, 4, 5))])
    assert whole[1:4] == ["FINISHED", None, 0]
    assert "sweep.svg" in whole[5]
    assert chosen[1:5] == ["FINISHED", whole[0], 0, "3"]
    assert "model.bin" in chosen[5]
    failed = shown[f"{sweep}/5"]
    assert isinstance(failed, list)
    assert failed[1:5] == ["FAILED", whole[0], None, "5"]
    assert {row[6] for row in shown.values() if isinstance(row, list)} == {1}


def test_a_sweep_needs_no_network(repo: RepositoryBuilder) -> None:
    """In a network namespace of its own, where not even loopback is up."""
    parameters = {"params.x": {"low": 0, "high": 9}}
    repo.write({"experiments/hill.yaml": experiment(strategy="optuna", trials=8, parameters=parameters)})
    alone = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    words = (*alone, sys.executable, "-m", "strata_git", "sweep", "experiments/hill.yaml", "--jobs", "2")
    run(*words, cwd=repo.path, environ=repo.environ).expect(0)
    assert len(visible(repo)) == 2
