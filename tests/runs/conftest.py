"""A plugin from outside (found by its entry point), and a repository in which it can run."""

from __future__ import annotations

import importlib
import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builder import FIRST, Clock, RepositoryBuilder, create
from tests.support.environment import sealed, short_directory
from tests.support.fixtures import Builder

TOYS = '''
"""Plugins that do what the test asks, slowly or badly."""
import os, signal, sys, time, logging, warnings
from strata_git.runs.plugin import Metric, ModelOutput, RunResult

class Toy:
    """Does what params.mode says."""
    name = "toy"
    requires = {}

    def run(self, spec, context):
        mode = spec.params.get("mode", "ok")
        (context.artifact_dir / "note.txt").write_text(f"{mode} {context.seed}\\n")
        return getattr(self, mode)(spec, context)

    def ok(self, spec, context):
        rows = sum(path.read_bytes().count(b"\\n") - 1 for split in context.splits for path in context.dataset(split))
        context.tracking.log_metric("rows", rows)
        return RunResult({"score": Metric(0.1 + 0.2 + spec.seed, "higher", 0.01, "test", 3)})

    def model(self, spec, context):
        (context.artifact_dir / "model.bin").write_bytes(b"weights %d" % spec.seed)
        context.tracking.log_artifacts(context.artifact_dir)
        columns = [{"name": "x", "type": "float64"}]
        return RunResult({"test_score": Metric(0.5, "higher", 0.01, "test", 3), "test_loss": Metric(0.25, "lower")},
            ModelOutput("model.bin", "binary", "toys", "1.0", columns, [{"name": "y", "type": "int64"}]))

    def talk(self, spec, context):
        print("said aloud"); sys.stderr.write("10%\\r50%\\r100%\\n"); print("no newline", end="")
        logging.getLogger("toy").warning("logged"); context.log("noted \\x1b[31m")

    def fail(self, spec, context):
        context.tracking.log_metric("before", 1)
        raise RuntimeError("the oven is cold")

    def leave(self, spec, context): sys.exit(5)
    def nan(self, spec, context): context.tracking.log_metric("loss", float("nan"))
    def link(self, spec, context): (context.artifact_dir / "link").symlink_to("/etc/hostname")
    def phantom(self, spec, context):
        return RunResult({}, ModelOutput("absent.bin", "binary", "toys", "1.0", [], []))
    def stop(self, spec, context):
        try: os.kill(os.getpid(), signal.SIGTERM); time.sleep(spec.params.get("nap", 5))
        except Exception: pass
    def sleep(self, spec, context):
        print("asleep", flush=True); time.sleep(60)
    def meddle(self, spec, context):
        path = context.dataset("train")[0]; path.write_bytes(path.read_bytes() + b"\\n")
'''


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hermetic: dict[str, str]) -> Path:
    """A directory on the import path, of this process and of those it starts, that brings the plugin `toy`."""
    place = tmp_path / "installed"
    about = place / "strata_toys-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strata-toys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[strata_git.plugins]\ntoy = strata_toys:Toy\nbroken = strata_toys:Absent\n"
    )
    (place / "strata_toys.py").write_text(textwrap.dedent(TOYS))
    monkeypatch.syspath_prepend(str(place))
    importlib.invalidate_caches()
    hermetic["PYTHONPATH"] = str(place)
    return place


@pytest.fixture
def repo(builder: Builder, toys: Path) -> RepositoryBuilder:
    """A workspace with the dataset iris@v1 and an experiment for the toy, all committed."""
    made = builder().workspace()
    made.dataset("iris")
    made.write({"toy.yaml": "plugin: toy\nseed: 7\ndataset_id: iris@v1\nparams: {mode: ok}\n", "code.py": "a = 1\n"})
    made.commit("Begin")
    return made


PROBE = '''
"""Does what the test asks, in a workspace's own plugin."""
from strata_git.runs.plugin import Metric, RunResult

class ProbePlugin:
    """Runs the statements of params.code; `out` is what it hands back."""
    name = "probe"
    resumable = True

    def run(self, spec, context):
        names = {"spec": spec, "context": context, "Metric": Metric, "RunResult": RunResult, "out": None}
        exec(spec.params.get("code", "pass"), names)
        return names["out"]
'''


@pytest.fixture(scope="session")
def probe_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with the plugin `probe`, a dataset and some files, made once."""
    home, base = short_directory(), tmp_path_factory.mktemp("probe")
    made = create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main").workspace()
    made.dataset("iris")
    made.write({"plugins/probe.py": PROBE, "code.py": "a = 1\n", "data/a.csv": "a\n1\n", "data/deep/b.csv": "b\n2\n"})
    made.commit("Begin")
    yield made.path
    home.rmdir()


@pytest.fixture
def probed(probe_template: Path, tmp_path: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    """A copy of the workspace with the plugin `probe`."""
    shutil.copytree(probe_template, tmp_path / "repo", symlinks=True)
    return RepositoryBuilder(tmp_path / "repo", hermetic, Clock(FIRST + 600))
