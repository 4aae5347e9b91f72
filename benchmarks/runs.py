"""What a run costs around its work: beside MLflow's own loop, beside Hydra with joblib, and until the plugin begins."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import Place, create

TRIALS = 100
_WORK = """
def work(x):
    return {"val_loss": (x - 0.3) ** 2, "val_f1": 1 / (1 + x * x), "val_size": x}
"""
_PLUGIN = f'''"""Work of no size, told in full."""

from strata_git.runs.plugin import Metric, RunResult

{_WORK}

class NothingPlugin:
    """Computes next to nothing."""

    name = "nothing"
    requires = {{}}

    def run(self, spec, context):
        return RunResult({{name: Metric(value, split="val") for name, value in work(spec.params["x"]).items()}})
'''
_FIRST = '''"""Ends where its work would begin."""

import os

from strata_git.runs.plugins.sklearn import SklearnPlugin


class FirstPlugin(SklearnPlugin):
    """The scikit-learn plugin up to its first line."""

    name = "first"

    def run(self, spec, context):
        os._exit(0)
'''
_EXPERIMENT = b"""plugin: nothing
params: {x: 0.5, a: 1, b: 2, c: text, d: [1, 2]}
sweep:
  strategy: random
  metric: val_f1
  direction: higher
  trials: %d
  parameters: {params.x: {low: 0.0, high: 1.0}}
"""
_START = b"plugin: first\ndataset_id: sklearn:iris\nparams: {model: random_forest}\n"
_MLFLOW = f"""
import os, random, sys
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
import mlflow
{_WORK}
mlflow.set_tracking_uri("sqlite:///" + os.path.abspath("mlflow-loop.db"))
mlflow.set_experiment("nothing")
with mlflow.start_run():
    for _ in range(int(sys.argv[1])):
        with mlflow.start_run(nested=True):
            x = random.random()
            mlflow.log_params({{"x": x, "a": 1, "b": 2, "c": "text", "d": [1, 2]}})
            mlflow.log_metrics(work(x))
"""
_HYDRA = f"""
import json, hydra
from omegaconf import OmegaConf
{_WORK}
@hydra.main(version_base=None, config_path=None, config_name=None)
def main(config):
    with open(hydra.core.hydra_config.HydraConfig.get().runtime.output_dir + "/metrics.json", "w") as stream:
        json.dump(work(config.x), stream)

main()
"""
_RUNS = """
import os, sys
from pathlib import Path
from strata_git.config import Settings
from strata_git.repo.command import Repository
from strata_git.runs.execute import execute
from strata_git.runs.spec import RunSpec
repo = Repository.discover(Path.cwd(), os.environ)
for number in range(int(sys.argv[1])):
    spec = RunSpec("nothing", "nothing", params={"x": number / 100, "a": 1, "b": 2, "c": "text", "d": [1, 2]})
    execute(repo, Settings(), spec, os.environ, open_tracker=lambda run: None)
"""
_IMPORTS = (
    "import numpy, skops.io, matplotlib.figure, sklearn.calibration, sklearn.datasets, sklearn.ensemble, "
    "sklearn.inspection, sklearn.metrics, sklearn.model_selection, sklearn.pipeline, sklearn.preprocessing"
)
GOALS = (
    Goal("a sweep, MLflow told : MLflow's own loop", "sweep, MLflow", "MLflow's loop", 1.0),
    Goal("a sweep, two at a time : Hydra with joblib", "sweep, two at a time", "Hydra, two at a time", 1.0),
    Goal("runs one after the other, each with its record : MLflow's own loop", "runs", "MLflow's loop", 1.5),
    Goal("until the plugin's first line : what scikit-learn's plugin imports", "first line", "imports", 1.5),
)


def overhead(base: Path, rounds: int, *, quick: bool = False) -> Samples:
    """Processes that make equally many trials of no work, and two that start."""
    trials = TRIALS // 10 if quick else TRIALS
    place = workspace(base, trials)
    count = str(trials)
    sweep = ("git-strata", "sweep", "experiments/nothing.yaml", "--records", "none")
    contenders = [
        Contender("sweep, MLflow", place, _always((*sweep, "--jobs", "1", "--tracking", "mlflow")), _fresh(place)),
        Contender("sweep, two at a time", place, _always((*sweep, "--jobs", "2", "--tracking", "none")), _fresh(place)),
        Contender("runs", place, _always((sys.executable, "runs.py", count)), _fresh(place)),
        Contender("MLflow's loop", place, _always((sys.executable, "loop.py", count)), _fresh(place)),
        Contender("first line", place, _always(("git-strata", "run", "experiments/first.yaml")), _fresh(place)),
        Contender("imports", place, _always((sys.executable, "-c", _IMPORTS))),
    ]
    if python := hydra_python():
        values = "x=" + ",".join(str(number / trials) for number in range(trials))
        words = (python, "app.py", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", f"+{values}")
        contenders.append(Contender("Hydra, two at a time", place, _always(words), _fresh(place)))
    return interleaved(contenders, rounds)


def workspace(base: Path, trials: int) -> Place:
    """A workspace with both plugins, their experiments and the scripts beside them, committed."""
    place = create(base, "runs", 1, 1)
    place.write({
        "plugins/nothing.py": _PLUGIN.encode(),
        "plugins/first.py": _FIRST.encode(),
        "experiments/nothing.yaml": _EXPERIMENT % trials,
        "experiments/first.yaml": _START,
        "loop.py": _MLFLOW.encode(),
        "runs.py": _RUNS.encode(),
        "app.py": _HYDRA.encode(),
        ".gitignore": b"/.strata/local/\n/mlflow-loop.db\n/mlruns/\n/multirun/\n/runs/\n",
    })  # fmt: skip
    place.git("add", "--all")
    place.git("commit", "--quiet", "--no-verify", "-m", "Runs to measure")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{place.environ['PATH']}"
    return Place(place.path, {**place.environ, "PATH": programs})


def hydra_python() -> str | None:
    """The Python of the peers' environment, where it has Hydra and its launcher."""
    base = Path(__file__).parents[1] / ".venv-peers"
    found = list(base.glob("lib/python*/site-packages/hydra_plugins/hydra_joblib_launcher"))
    return str(base / "bin/python") if found else None


def _fresh(place: Place) -> Callable[[int], None]:
    """Nothing left of the round before: neither records nor databases."""

    def clear(_round: int) -> None:
        for name in ("runs", ".strata/local", "mlruns", "multirun"):
            shutil.rmtree(place.path / name, ignore_errors=True)
        (place.path / "mlflow-loop.db").unlink(missing_ok=True)

    return clear


def _always(words: Sequence[str]) -> Callable[[int], Sequence[str]]:
    return lambda _round: words
