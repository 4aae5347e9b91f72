"""Sixteen runs at once in one repository, and what must hold afterwards."""

from __future__ import annotations

import sys
from typing import Any

from strata_git.index.records import ArtifactRecord
from tests.index.opening import close_all
from tests.index.opening import indexed as index_of
from tests.runs.running import pending, visible
from tests.runs.shown import agree, runs_in
from tests.support.builder import RepositoryBuilder
from tests.support.process import run

AT_ONCE = """
import os, sys
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
import mlflow.tracking, mlflow.entities, alembic, sqlalchemy  # loaded once: each fork is a process of its own
import strata_git.runs.execute, strata_git.runs.tracking_courier, strata_git.runs.mlflow
from strata_git.cli.main import main
held, gate = os.pipe()
children = {}
for seed in range(16):
    child = os.fork()
    if not child:
        os.close(gate)
        os.read(held, 1)  # all begin when the gate is closed
        code = main(["run", "experiments/curve.yaml", "--set", f"seed={seed}"])
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(code)
    children[child] = seed
os.close(gate)
failed = [seed for child, seed in children.items() if os.waitpid(child, 0)[1]]
sys.exit(f"failed: {failed}" if failed else 0)
"""


def sixteen(repo: RepositoryBuilder, client: Any, experiment: str = "curve") -> None:
    """Run the experiment with sixteen seeds, all at the same moment: sixteen records, which the index and MLflow have
    as they are."""
    told = run(sys.executable, "-c", AT_ONCE, cwd=repo.path, environ=repo.environ).expect(0)
    names = visible(repo)
    assert (len(names), pending(repo)) == (16, []), told
    waiting = [path.name for path in (repo.path / ".strata/local/tracking").iterdir()]
    assert ("waits" in told.err, waiting) == (False, []), told
    shown = runs_in(client, experiment)
    assert sorted(shown) == names
    for name in names:
        agree(repo, client, shown[name])
    assert {one.data.params["seed"] for one in shown.values()} == {str(seed) for seed in range(16)}
    repo.commit("Sixteen runs")
    indexed = {one.artifact.name: one for one in indexed_runs(repo)}
    assert sorted(indexed) == names
    assert {name: dict(indexed[name].metrics) for name in names} == {name: shown[name].data.metrics for name in names}
    close_all()


def indexed_runs(repo: RepositoryBuilder) -> list[ArtifactRecord]:
    """The runs that the index knows at HEAD."""
    return [one for one in index_of(repo).artifacts if one.artifact.kind == "run"]
