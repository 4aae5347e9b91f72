"""Runs, a sweep and a reproduction where there is no way out: they work, and nobody so much as tries to leave.

In a network namespace of its own the kernel counts what it had no route for: whichever library, in whichever process,
in whichever language, looks for a name server or connects to anything but this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parent.parent.parent
ALONE = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
INSIDE = """
import fcntl, json, os, socket, struct, subprocess, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # loopback up: this machine may talk to itself
    fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 1))
def lost():
    names, values = [line.split() for line in open("/proc/net/snmp") if line.startswith("Ip:")]
    six = dict(line.split() for line in open("/proc/net/snmp6")) if os.path.exists("/proc/net/snmp6") else {}
    return int(values[names.index("OutNoRoutes")]) + int(six.get("Ip6OutNoRoutes", 0))
before, done = lost(), []
for words in json.load(sys.stdin):
    ended = subprocess.run(words, capture_output=True, text=True)
    done.append([ended.returncode, ended.stdout, ended.stderr])
json.dump({"lost": lost() - before, "done": done}, sys.stdout)
"""
OUTSIDE = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError: pass"
HERE = "import socket\ns = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
SWEEP = """
plugin: sklearn
experiment: swept
seed: 7
dataset_id: sklearn:iris
data_spec: {validation: 0.15, test: 0.15}
params: {model: logistic_regression, C: 1.0}
sweep:
  strategy: grid
  metric: val_f1
  direction: higher
  parameters:
    params.C: {choices: [0.1, 1.0]}
"""


def alone(repo: RepositoryBuilder, *commands: list[str]) -> tuple[int, list[list[object]]]:
    """How often something wanted to leave while the commands ran, and what each of them answered."""
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", INSIDE], cwd=repo.path, env=repo.environ, input=json.dumps(commands),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said["lost"], said["done"]


def strata(*words: str) -> list[str]:
    return [sys.executable, "-m", "strata_git", *words]


@pytest.fixture
def workspace(builder: Builder) -> RepositoryBuilder:
    """The template's two experiments, one on real data and one on made-up data, and a sweep on bundled data."""
    repo = builder().workspace(lfs=False)
    found = ROOT / "templates/workspace/experiments"
    repo.write({
        "experiments/synthetic.yaml": (found / "synthetic.yaml").read_text().replace("samples: 800", "samples: 200"),
        "experiments/breast_cancer.yaml": (found / "breast_cancer.yaml").read_text(),
        "experiments/swept.yaml": SWEEP,
    })  # fmt: skip
    data = repo.path.parent / "data"
    subprocess.run([sys.executable, str(ROOT / "examples/breast_cancer/export.py"), str(data)], check=True)
    splits = ["--split", "train=train.csv", "--split", "test=test.csv"]
    repo.strata("dataset", "add", str(data), "--name", "breast-cancer", *splits, "--description", "x").expect(0)
    repo.commit("Begin")
    return repo


def test_what_is_counted(builder: Builder) -> None:
    repo = builder()
    assert alone(repo, [sys.executable, "-c", HERE])[0] == 0
    assert alone(repo, [sys.executable, "-c", OUTSIDE])[0] == 1


def test_nothing_leaves(workspace: RepositoryBuilder) -> None:
    few, both = ["--set", "params.n_estimators=8"], ["--set", "params.formats=[skops, onnx]"]
    run = f"run-{datetime.now(UTC):%Y-%m-%d}-001"
    lost, done = alone(
        workspace,
        strata("run", "experiments/breast_cancer.yaml", *few, *both),  # tracked by MLflow, as ever
        strata("run", "experiments/synthetic.yaml", *few, "--tracking", "none"),
        strata("sweep", "experiments/swept.yaml", "--jobs", "2", "--tracking", "none"),
        strata("reproduce", run, "--format", "json"),
    )
    assert [(code, err) for code, _, err in done if code != 0] == []
    said = json.loads(str(done[-1][1]))
    assert said["verdict"] == "identical"
    assert [one for one in said["environment"] if one["used"]] == []
    assert (workspace.path / "runs" / run / "artifacts/model.onnx").is_file()
    assert lost == 0
