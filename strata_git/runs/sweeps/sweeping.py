"""A sweep at work: which trials are made, where they are written down, and what comes of all of them together.

What a run promises (a number, capture, masking, a truthful end) is promised of a sweep because it is one; its plugin
makes the trials, each with the plugin that the experiment names.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.contracts.sweep import Sweep
from strata_git.errors import StrataError
from strata_git.runs.plugin import Metric, RunContext, RunResult
from strata_git.runs.spec import RunSpec
from strata_git.runs.sweeps.engine import Run, started
from strata_git.runs.sweeps.how import How
from strata_git.runs.sweeps.journal import JOURNAL, Journal, kept, read_journal
from strata_git.runs.sweeps.resume import KEPT
from strata_git.runs.sweeps.search import search_of
from strata_git.runs.sweeps.summary import write_summary
from strata_git.runs.sweeps.told import tell_trial
from strata_git.runs.sweeps.trial import Ended, Trial, best_of, better, trial_spec
from strata_git.runs.sweeps.work import Task

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.runs.started import Started
    from strata_git.runs.tracking import Adapter


@dataclass(slots=True)
class Sweeping:
    """A sweep at work. `kept` is the best trial so far, whose files are kept."""

    name: str
    requires: Mapping[str, Sequence[str]]
    repo: Repository
    how: How
    started: Started
    track: Callable[[Started], Adapter | None]
    ended: dict[int, Ended] = field(default_factory=dict)
    kept: Ended | None = None

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Make every trial that was not made before, and write what came of all."""
        sweep = Sweep.model_validate(dict(spec.sweep))
        try:
            with ExitStack() as stack:
                journal = stack.enter_context(kept(context.artifact_dir / JOURNAL))
                self._take_over(sweep, context, journal)
                self._search(spec, sweep, context, journal)
        except BaseException:
            # what was written down last may not be counted yet: the journal is what a later sweep goes on with
            write_summary(context.artifact_dir, spec, read_journal(context.artifact_dir / JOURNAL))
            raise
        return self._settle(spec, sweep, context)

    def _take_over(self, sweep: Sweep, context: RunContext, journal: Journal) -> None:
        """Trials of the sweep that this one goes on with, in the order they ended in, and the files of the best."""
        if context.resume is None:
            return
        total = search_of(sweep).total
        self.ended = {one.index: one for one in read_journal(context.resume / JOURNAL) if one.index < total}
        journal.add(*self.ended.values())
        best = best_of(list(self.ended.values()), sweep.metric, sweep.direction)
        left = context.resume / KEPT / f"{best.index:04d}" if best is not None else None
        if best is not None and left is not None and self.how.records == "best":
            if left.is_dir():
                shutil.copytree(left, self._kept_place(context, best), symlinks=True)
                self.kept = best
            else:  # it is made again
                del self.ended[best.index]
        context.log(f"{len(self.ended)} trials taken over")

    def _search(self, spec: RunSpec, sweep: Sweep, context: RunContext, journal: Journal) -> None:
        search = search_of(sweep)
        with ExitStack() as stack:
            engine: Run | None = None
            while batch := search.ask():
                self._require_asked(batch)
                fresh = [trial for trial in batch if trial.index not in self.ended]
                if fresh and engine is None:
                    scratch = self._place(context, "engine")
                    threads = int(spec.resources.get("cpus", 1))
                    how = self.how
                    engine = stack.enter_context(started(how.engine, how.jobs, how.scheduler, scratch, threads))
                if engine is not None:
                    tasks = [self._task(spec, sweep, context, trial) for trial in fresh]
                    for one in engine(tasks):
                        self._take(one, spec, sweep, context, journal)
                        context.progress(len(self.ended), search.total)
                search.tell([self.ended[trial.index] for trial in batch])

    def _require_asked(self, batch: Sequence[Trial]) -> None:
        """Raise StrataError when a trial that was taken over is not the one that is asked for now."""
        for trial in batch:
            before = self.ended.get(trial.index)
            if before is not None and dict(before.values) != dict(trial.values):
                raise StrataError(
                    f"Trial {trial.index} of the earlier sweep is not what is proposed now: another version of Optuna?",
                    hint="Install what its system.json lists, or begin anew without --resume.",
                )

    def _task(self, spec: RunSpec, sweep: Sweep, context: RunContext, trial: Trial) -> Task:
        return Task(
            trial=trial,
            started=self._named(trial.index, trial_spec(spec, trial)),
            metric=sweep.metric,
            place=str(self._place(context, f"{trial.index:04d}")),
            home=os.getpid(),
            host=socket.gethostname(),
        )

    def _take(self, one: Ended, spec: RunSpec, sweep: Sweep, context: RunContext, journal: Journal) -> None:
        """A trial has ended: record it where that is asked for, write it down, keep it if it is the best so far."""
        place = self._place(context, f"{one.index:04d}")
        own = trial_spec(spec, Trial(one.index, one.values))
        measured = f"{sweep.metric} {one.metrics.get(sweep.metric, 0):.6g}" if one.status == "succeeded" else one.error
        context.log(f"trial {one.index} {one.status} after {one.seconds:.3f} s: {measured}")
        if self.how.records == "all":
            self._record(one, own, place)
        elif self.how.records == "none" or not self._beats(one):
            tell_trial(self.track, self._named(one.index, own), one)
        journal.add(one)
        self.ended[one.index] = replace(one, events=())
        if self.how.records == "best" and self._beats(one):
            self._keep(one, spec, place, context)
        shutil.rmtree(place, ignore_errors=True)
        if one.status != "succeeded" and self.how.fail_fast:
            raise StrataError(f"Trial {one.index} failed, and one is enough (--fail-fast): {one.error}")
        if one.status != "succeeded" and one.metrics and not self._measures(sweep.metric):
            raise StrataError(f"Trial {one.index}: {one.error}. A sweep needs its metric of every trial.")

    def _measures(self, metric: str) -> bool:
        return any(metric in one.metrics for one in self.ended.values())

    def _beats(self, one: Ended) -> bool:
        """Whether a trial is the best so far; of equal ones it is the first."""
        if one.status != "succeeded":
            return False
        best = self.kept
        mine, metric = one.metrics[self._metric], self._metric
        if best is None or better(mine, best.metrics[metric], self._direction):
            return True
        return mine == best.metrics[metric] and one.index < best.index

    def _keep(self, one: Ended, spec: RunSpec, place: Path, context: RunContext) -> None:
        """Put the files of the new best trial where a stop leaves them, and let go of those of the last."""
        before, self.kept = self.kept, one
        target = self._kept_place(context, one)
        target.parent.mkdir(exist_ok=True)
        shutil.move(place, target)
        if before is not None:
            own = trial_spec(spec, Trial(before.index, before.values))
            tell_trial(self.track, self._named(before.index, own), before)
            shutil.rmtree(self._kept_place(context, before), ignore_errors=True)

    def _record(self, one: Ended, own: RunSpec, place: Path) -> str:
        from strata_git.runs.sweeps.records import record_trial, reserve_trial

        reserved = reserve_trial(self.repo, one)
        record_trial(self.repo, reserved, self.started, own, one, place)
        files = self.repo.require_worktree() / "runs" / reserved.id / "artifacts"
        shown = replace(self._named(one.index, own), id=reserved.id, artifact_dir=files)
        tell_trial(self.track, shown, one, files)
        self.how.recorded.append(reserved.id)
        return reserved.id

    def _settle(self, spec: RunSpec, sweep: Sweep, context: RunContext) -> RunResult:
        """The best trial's record, the summary, and what the sweep measured: what its best trial did."""
        ended = list(self.ended.values())
        write_summary(context.artifact_dir, spec, ended)
        best = best_of(ended, sweep.metric, sweep.direction)
        failed = sum(one.status != "succeeded" for one in ended)
        if best is None:
            first = min(ended, key=lambda one: one.index)
            raise StrataError(f"None of the {len(ended)} trials succeeded; trial {first.index}: {first.error}")
        if self.how.records == "best" and self.kept is not None:
            own = trial_spec(spec, Trial(best.index, best.values))
            run = self._record(self.kept, own, self._kept_place(context, self.kept))
            context.log(f"trial {best.index} is on record as {run}")
        shutil.rmtree(context.artifact_dir / KEPT, ignore_errors=True)
        (context.artifact_dir / JOURNAL).unlink()
        context.tracking.log_artifacts(context.artifact_dir)
        context.log(f"best of {len(ended)}: trial {best.index}, {sweep.metric} {best.metrics[sweep.metric]:.6g}")
        metrics = {name: Metric(value) for name, value in best.metrics.items()}
        metrics[sweep.metric] = Metric(best.metrics[sweep.metric], sweep.direction)
        counts = {"trials": Metric(len(ended)), "failed_trials": Metric(failed, "lower")}
        return RunResult({**metrics, **counts}, tokens=_tokens(ended), cost=_cost(ended))

    def _named(self, index: int, own: RunSpec) -> Started:
        """A trial as the run that it would be by itself, named as a part of the sweep's."""
        run = self.started
        return replace(run, id=f"{run.id}/{index}", parent=run.id, spec=own, artifact_dir=None, killed=())

    def _place(self, context: RunContext, name: str) -> Path:
        """A directory for trials at work: beside the record that grows, or with the files where those are elsewhere."""
        pending = self.started.local / "pending" / self.started.id
        base = pending if context.artifact_dir.is_relative_to(pending) else context.artifact_dir
        place = base / "at-work" / name
        place.parent.mkdir(exist_ok=True)
        return place

    def _kept_place(self, context: RunContext, one: Ended) -> Path:
        return context.artifact_dir / KEPT / f"{one.index:04d}"

    @property
    def _metric(self) -> str:
        return str(self.started.spec.sweep["metric"])

    @property
    def _direction(self) -> str:
        return str(self.started.spec.sweep["direction"])


def _tokens(ended: Sequence[Ended]) -> dict[str, int] | None:
    """What all trials counted, together."""
    total: dict[str, int] = {}
    for one in ended:
        for name, count in (one.told.get("tokens") or {}).items():
            total[name] = total.get(name, 0) + count
    return total or None


def _cost(ended: Sequence[Ended]) -> tuple[float, str] | None:
    """What all trials cost together; None where nobody charged, or in several currencies."""
    costs: list[Mapping[str, Any]] = [one.told["cost"] for one in ended if one.told.get("cost")]
    currencies = {cost["currency"] for cost in costs}
    return (sum(cost["amount"] for cost in costs), currencies.pop()) if len(currencies) == 1 else None
