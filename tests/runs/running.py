"""Short words for running a spec in this process, without MLflow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strata_git.config import Settings
from strata_git.contracts.base import parse
from strata_git.contracts.experiment import RunConfig
from strata_git.contracts.run import RunMetrics, RunRecord, System
from strata_git.load import load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.runs.execute import OpenTracker, RunOutcome, execute
from strata_git.runs.spec import RunSpec
from tests.support.builder import RepositoryBuilder
from tests.support.process import run as run_program

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def opened(repo: RepositoryBuilder) -> Repository:
    return Repository.discover(repo.path, repo.environ)


def spec(mode: str = "ok", *, dataset: str = "iris@v1", seed: int = 7, **params: Any) -> RunSpec:
    return RunSpec("toy", "toy", seed, dataset, {}, {"mode": mode, **params}, {"purpose": "test"})


def probe(code: str = "pass", **fields: Any) -> RunSpec:
    """What the workspace's plugin `probe` is to do."""
    return RunSpec("probe", "probe", params={"code": code}, **fields)


def strata(repo: RepositoryBuilder, *words: str) -> int:
    """`git strata <words>` in this process, which is cheaper; the exit code."""
    from strata_git.cli.main import main

    return main(["-C", str(repo.path), *words])


def log_of(repo: RepositoryBuilder, done: RunOutcome) -> str:
    """logs.txt of a run."""
    return repo.read(f"{done.path}/logs.txt").decode()


def perform(
    repo: RepositoryBuilder,
    what: RunSpec | None = None,
    *,
    tracker: OpenTracker = lambda _: None,
    now: datetime = NOON,
    resume: str | None = None,
    settings: Settings | None = None,
    **environ: str,
) -> RunOutcome:
    """Execute a spec; MLflow stays out unless `tracker` says otherwise."""
    variables = {**repo.environ, **environ}
    here = opened(repo)
    return execute(here, settings or Settings(), what or spec(), variables, now, open_tracker=tracker, resume=resume)


def record_of(repo: RepositoryBuilder, run: str) -> RunRecord:
    """run.yaml of a run whose every file keeps its contract and whose list sha256sum accepts."""
    place = repo.path / "runs" / run
    parse(RunConfig, load_yaml((place / "config.yaml").read_bytes()))
    parse(System, load_json((place / "system.json").read_bytes()))
    RunMetrics.model_validate(load_json((place / "metrics.json").read_bytes()).value)
    assert (place / "logs.txt").stat().st_size > 0
    checked = run_program("sha256sum", "--strict", "-c", "CHECKSUMS.txt", cwd=place, environ=repo.environ).expect(0)
    listed = {line.rpartition(": ")[0] for line in checked.out.splitlines()}
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert listed == there - {"CHECKSUMS.txt"}
    return parse(RunRecord, load_yaml((place / "run.yaml").read_bytes()))


def pending(repo: RepositoryBuilder) -> list[str]:
    """What lies in the directory of unfinished runs."""
    place = repo.path / ".strata/local/pending"
    return sorted(one.name for one in place.iterdir() if one.name != ".lock") if place.is_dir() else []


def visible(repo: RepositoryBuilder) -> list[str]:
    """Names under runs/."""
    place: Path = repo.path / "runs"
    return sorted(one.name for one in place.iterdir()) if place.is_dir() else []
