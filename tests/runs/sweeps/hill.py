"""A workspace with a plugin that is a hill to climb, and short words for sweeping it in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from strata_git.config import Settings
from strata_git.load import dump_yaml
from strata_git.runs.execute import OpenTracker, RunOutcome, execute
from strata_git.runs.spec import RunSpec, load_spec
from strata_git.runs.sweeps.how import How
from tests.support.builder import RepositoryBuilder

PLUGIN = '''
"""A hill, with pits."""

import os
import time

from strata_git.errors import StrataError
from strata_git.runs.plugin import Metric, ModelOutput, RunResult


class HillPlugin:
    """Measures how high one stands."""

    name = "hill"
    requires = {}

    def check(self, spec):
        if spec.params["kind"] == "cave":
            raise StrataError("caves have no height", hint="Take a peak.")

    def run(self, spec, context):
        p = spec.params
        assert context.seed == spec.seed
        time.sleep(p["nap"])
        print("standing at", p["x"], "with", os.environ.get("SECRET_TOKEN", "nothing"))
        if p["x"] in p["pits"]:
            raise ValueError(f"fell into the pit at {p['x']} below {context.artifact_dir}")
        if p["x"] in p["deadly"]:
            os._exit(9)
        for step in range(2):
            context.tracking.log_metric("progress", step / 2, step)
        context.tracking.set_tag("who", "climber")
        (context.artifact_dir / "model.bin").write_bytes(b"%r" % p["x"])
        column = [{"name": "x", "type": "float64"}]
        metrics = {"val_height": Metric(spec.seed % 7 - (p["x"] - p["top"]) ** 2, "higher", 0.1, "val", 3)}
        return RunResult(metrics, ModelOutput("model.bin", "binary", "hills", "1", column, column), tokens={"input": 2})
'''
BASE: dict[str, Any] = {
    "plugin": "hill",
    "seed": 7,
    "dataset_id": "iris@v1",
    "params": {"x": 1, "top": 3, "kind": "peak", "nap": 0, "pits": [], "deadly": []},
}
SWEEP: dict[str, Any] = {
    "strategy": "grid",
    "metric": "val_height",
    "direction": "higher",
    "parameters": {"params.x": {"low": 0, "high": 5, "step": 1}},
}


def experiment(params: dict[str, Any] | None = None, **sweep: Any) -> bytes:
    """The experiment file with other params, and other words in its sweep part (None: without the word)."""
    said = {key: value for key, value in {**SWEEP, **sweep}.items() if value is not None}
    return dump_yaml({**BASE, "params": {**BASE["params"], **(params or {})}, "sweep": said})


def spec(params: dict[str, Any] | None = None, **sweep: Any) -> RunSpec:
    return load_spec(experiment(params, **sweep), file="experiments/hill.yaml")


def sweep(
    repo: RepositoryBuilder,
    what: RunSpec | None = None,
    how: How | None = None,
    *,
    tracker: OpenTracker = lambda _: None,
    resume: str | None = None,
    **environ: str,
) -> RunOutcome:
    """Sweep in this process, unless `how` says otherwise."""
    how = how or How("none")
    variables = {**repo.environ, **environ}
    return execute(
        repo.repository(), Settings(), what or spec(), variables, open_tracker=tracker, sweeping=how, resume=resume
    )


def files(repo: RepositoryBuilder, run: str) -> dict[str, bytes]:
    """What lies in the artifacts of a record, by path."""
    place = repo.path / "runs" / run / "artifacts"
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def trials(repo: RepositoryBuilder, run: str) -> list[dict[str, Any]]:
    """The lines of trials.jsonl."""
    return [json.loads(line) for line in files(repo, run)["trials.jsonl"].splitlines()]


def log(repo: RepositoryBuilder, run: str) -> str:
    return (Path(repo.path) / "runs" / run / "logs.txt").read_text()
