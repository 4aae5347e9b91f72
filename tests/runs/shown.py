"""What MLflow shows of a run, held against its record, file by file and number by number."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from strata_git.load import load_json
from strata_git.runs.history import load_history
from tests.runs.running import record_of
from tests.support.builder import RepositoryBuilder

PLUGIN = '''
"""Measures a curve and draws it; halfway it waits, where it is told for what."""
import time
from pathlib import Path
from strata_git.runs.plugin import Metric, RunResult


class StepsPlugin:
    """Logs everything there is to log."""
    name = "steps"
    requires = {}

    def run(self, spec, context):
        tracking, place = context.tracking, context.artifact_dir
        tracking.log_param("colour", f"c{spec.seed}")
        for step in range(int(spec.params["steps"])):
            tracking.log_metric("loss", 1 / (step + 1) + spec.seed, step)
            if step == 5 and "until" in spec.params:
                while not Path(spec.params["until"]).exists():
                    time.sleep(0.1)
        (place / "plots").mkdir()
        (place / "plots" / "curve.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg' id='c{spec.seed}'/>")
        (place / "model.bin").write_bytes(b"weights %d" % spec.seed * 1000)
        tracking.log_artifacts(place)
        tracking.set_tag("colour", f"c{spec.seed}")
        return RunResult({"test_score": Metric(0.5 + spec.seed, split="test", n=3)})
'''
EXPERIMENT = "plugin: steps\nexperiment: curve\ndataset_id: iris@v1\nparams: {steps: 12}\n"


def workspace(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A workspace with a dataset, the plugin and an experiment for it, all committed."""
    repo.workspace()
    repo.dataset("iris")
    repo.write({"plugins/steps.py": PLUGIN, "experiments/curve.yaml": EXPERIMENT})
    repo.commit("Begin")
    return repo


def runs_in(client: Any, experiment: str = "curve") -> dict[str, Any]:
    """Every run of an MLflow experiment by the name we gave it; a name that is there twice fails."""
    found = client.get_experiment_by_name(experiment)
    listed = client.search_runs([found.experiment_id], max_results=1000) if found else []
    names = [run.info.run_name for run in listed]
    assert len(names) == len(set(names)), sorted(names)
    return {run.info.run_name: run for run in listed}


def agree(repo: RepositoryBuilder, client: Any, shown: Any) -> None:
    """Fails unless MLflow has of a run exactly what its record has."""
    name = shown.info.run_name
    record = record_of(repo, name)
    place = repo.path / "runs" / name
    metrics = load_json((place / "metrics.json").read_bytes()).value
    assert isinstance(metrics, dict)
    assert (shown.info.status, shown.data.metrics) == ("FINISHED", metrics)
    history = load_history((place / "artifacts/metrics.jsonl").read_bytes())
    points = [
        (key, one.step, one.value) for key in metrics for one in client.get_metric_history(shown.info.run_id, key)
    ]
    assert Counter(points) == Counter((one.name, one.step, one.value) for one in history)
    assert (shown.data.params["seed"], shown.data.params["colour"]) == (str(record.seed), f"c{record.seed}")
    assert shown.data.params["params.steps"] == str(len(history) - 1)
    assert shown.data.tags["strata.run"] == name
    assert shown.data.tags["colour"] == f"c{record.seed}"
    assert shown.data.tags["mlflow.source.git.commit"] == record.code.commit
    content = (record.inputs[0].content_hash or "").removeprefix("sha256:")
    given = {(one.dataset.name, one.dataset.digest) for one in shown.inputs.dataset_inputs}
    assert ("iris@v1", content[:36]) in given
    with tempfile.TemporaryDirectory() as folder:
        got = Path(client.download_artifacts(shown.info.run_id, "", folder))
        files = {path.relative_to(got).as_posix(): path.read_bytes() for path in got.rglob("*") if path.is_file()}
    assert files == {file: (place / "artifacts" / file).read_bytes() for file in ("model.bin", "plots/curve.svg")}
