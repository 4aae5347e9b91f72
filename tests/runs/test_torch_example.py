"""examples/torch: its plugin keeps the rules here; where there is a PyTorch, it trains, and trains the same twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strata_git.checks.plugins import judge_plugin
from strata_git.errors import StrataError, UsageError
from strata_git.runs.plugin import Plugin
from strata_git.runs.spec import RunSpec, load_spec
from strata_git.runs.workspace import load_workspace_plugin
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/torch"
PLUGIN = EXAMPLE / "plugins/torch_mlp.py"
EXPERIMENT = EXAMPLE / "experiments/torch_mlp.yaml"
TRAIN = """
import json, os, sys
from pathlib import Path
from strata_git.config import Settings
from strata_git.repo.command import Repository
from strata_git.runs.execute import execute
from strata_git.runs.spec import load_spec
repo = Repository.discover(Path(sys.argv[1]), dict(os.environ))
spec = load_spec(Path(sys.argv[2]).read_bytes(), file="torch_mlp.yaml", overrides=sys.argv[3:])
done = execute(repo, Settings(), spec, dict(os.environ), open_tracker=lambda _: None)
print(json.dumps([done.status, done.error, done.path, dict(done.metrics)]))
"""


def spec() -> RunSpec:
    return load_spec(EXPERIMENT.read_bytes(), file="torch_mlp.yaml")


def plugin() -> Plugin:
    return load_workspace_plugin("torch_mlp", PLUGIN)


def test_the_plugin_keeps_the_rules_and_loads_without_pytorch() -> None:
    assert judge_plugin("plugins/torch_mlp.py", PLUGIN.read_bytes()).findings == ()
    assert plugin().name == spec().plugin == "torch_mlp"
    assert "torch" not in sys.modules


def test_what_it_cannot_do_is_told_before_a_run_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plugin()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(StrataError, match="torch_mlp needs torch") as caught:
        made.check(spec())  # type: ignore[attr-defined]
    assert caught.value.hint == "pip install torch"
    with pytest.raises(UsageError, match=r"params\.depth is unknown"):
        made.check(RunSpec("x", "torch_mlp", 1, "a@v1", {"target": "t"}, {"depth": 1}))  # type: ignore[attr-defined]


def python_with_torch(place: Path) -> tuple[str, str] | None:
    """A Python that has PyTorch, and the PYTHONPATH on which it finds us: this one, else the system's with our packages
    lent to it (all but NumPy, which its PyTorch was built against)."""
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode == 0:
        return sys.executable, str(ROOT)
    system = "/usr/bin/python3"
    probe = "import sys, torch; print(*sys.version_info[:2])"
    done = subprocess.run([system, "-c", probe], capture_output=True, text=True, check=False)
    if done.returncode or tuple(map(int, done.stdout.split())) != sys.version_info[:2]:
        return None
    lent = place / "lent"
    lent.mkdir()
    for path in Path(next(one for one in sys.path if one.endswith("site-packages"))).iterdir():
        if not path.name.startswith(("numpy", "torch", "_", "distutils")) and path.suffix != ".pth":
            (lent / path.name).symlink_to(path)
    return system, f"{ROOT}{os.pathsep}{lent}"


@pytest.mark.heavy
def test_it_trains_the_same_twice(builder: Builder, tmp_path: Path) -> None:
    found = python_with_torch(tmp_path)
    if found is None:
        pytest.skip("there is no PyTorch for this version of Python; on Debian: apt-get install python3-torch")
    from tests.runs.test_sklearn import cancer

    repo: RepositoryBuilder = builder().workspace()
    cancer(repo)
    repo.write({"plugins/torch_mlp.py": PLUGIN.read_bytes()})
    repo.commit("Add a plugin")
    program, path = found

    def train(*overrides: str) -> tuple[str, str | None, str, dict[str, float]]:
        words = [program, "-c", TRAIN, str(repo.path), str(EXPERIMENT), *overrides]
        environ = {**repo.environ, "PYTHONPATH": path}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made: tuple[str, str | None, str, dict[str, float]] = tuple(json.loads(done.stdout))
        return made

    one, two, other = train(), train(), train("seed=8")
    assert (one[0], two[0]) == ("succeeded", "succeeded"), (one[1], two[1])
    assert one[3] == two[3] != other[3]
    assert one[3]["test_accuracy"] > 0.9
    files = [repo.read(f"{run[2]}/artifacts/model.safetensors") for run in (one, two, other)]
    assert files[0] == files[1] != files[2]
    from safetensors.numpy import load

    assert set(load(files[0])) == {"0.weight", "0.bias", "2.weight", "2.bias", "input.center", "input.scale"}
