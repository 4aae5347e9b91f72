"""The part of a run in which its plugin works: what it is handed, within which bounds, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.runs import limits, record
from strata_git.runs.capture import Log
from strata_git.runs.inputs import Input, dataset_input
from strata_git.runs.plugin import Plugin, RunContext, RunResult
from strata_git.runs.reserve import Reservation
from strata_git.runs.seeding import seeded
from strata_git.runs.spec import flattened
from strata_git.runs.started import Started
from strata_git.runs.system import Meter
from strata_git.runs.told import told_by
from strata_git.runs.tracking import Recorder

Steps = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Work:
    """A run that has begun: its place, what it is, run.yaml so far, where the plugin writes, and what is measured.

    `resume` is the directory with what an earlier run left, where this one takes it up.
    """

    repo: Repository
    reserved: Reservation
    started: Started
    facts: Mapping[str, object]
    artifact_dir: Path
    log: Log
    meter: Meter
    resume: Path | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How the work ended: status, the reason where it did not succeed, the model's file, and what run.yaml says of it
    besides."""

    status: str
    error: str | None = None
    model: str | None = None
    told: Mapping[str, object] = field(default_factory=dict)


def attempt(plugin: Plugin, work: Work, tracker: Recorder, steps: Steps | None) -> Ended:
    """How the plugin's work ended, whatever it raised; only a request to stop goes through."""
    spec = work.started.spec
    resources = {} if spec.sweep else spec.resources  # each trial of a sweep has them for itself
    given = _given(work.started)
    context = _context(work, tracker, given, steps)
    try:
        tracker.log_params(flattened(spec))
        with limits.work(resources, lambda text: work.log.write("run", text)), seeded(spec.seed):
            result = plugin.run(spec, context) or RunResult()
        missing = {name: one.value for name, one in result.metrics.items() if name not in tracker.metrics}
        if missing:
            tracker.log_metrics(missing)
        record.describe_model(result, work.artifact_dir)
        told = told_by(work.repo, result, work.facts, work.started.mask)
        for read in given.values():
            read.require_unchanged()
        return Ended("succeeded", model=result.model.artifact if result.model else None, told=told)
    except StrataError as refused:
        return Ended("failed", refused.message)
    except (Exception, SystemExit, limits.TimeUp) as error:  # noqa: BLE001 - what foreign code raises is the outcome
        import traceback

        work.log.write("run", traceback.format_exc())
        bound = limits.ended_by(resources, error)
        return Ended("failed", bound or f"{type(error).__name__}: {error}".strip().rstrip(":"))


def _given(started: Started) -> dict[str, Input]:
    source = {"dataset": dataset_input(started.source)} if started.source else {}
    return {**source, **started.inputs}


def _context(work: Work, tracker: Recorder, given: Mapping[str, Input], steps: Steps | None) -> RunContext:
    started = work.started
    told = {} if steps is None else {"progress": steps}
    return RunContext(
        tracker,
        work.artifact_dir,
        started.spec.seed,
        lambda text: work.log.write("log", text),
        started.source,
        inputs=given,
        mask=started.mask,
        resume=work.resume,
        workspace=started.local.parent.parent,
        environ=started.environ,
        run_id=started.id,
        **told,
    )
