"""`git strata sweep`: many trials of one experiment, one record, and the best trial's own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.run import EXIT, tell_tracking, tracking_option, watched
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.runs.execute import RunOutcome
    from strata_git.runs.spec import RunSpec
    from strata_git.runs.sweeps.how import How

_SHOWN = 10
"""Trials in the table; all of them are in trials.csv."""
_WIDEST = 24


@click.command()
@click.argument("experiment", required=False)
@click.option("--trials", type=click.IntRange(min=1), help="How many trials, in place of the experiment's number.")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials made at a time (default: as many as fit).")
@click.option(
    "--engine",
    type=click.Choice(["loky", "dask", "ray", "none"]),
    default="loky",
    show_default=True,
    help="What makes them: processes here, a Dask or Ray cluster, or this process.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", default="", help="The Dask or Ray cluster (default: one on this machine)."
)
@click.option("--resume", metavar="RUN", help="Go on with RUN, a sweep that was stopped or killed.")
@click.option(
    "--records",
    type=click.Choice(["best", "all", "none"]),
    default="best",
    show_default=True,
    help="Which trials leave a run record of their own.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first trial that fails.")
@click.option("--set", "overrides", metavar="A.B=C", multiple=True, help="Change one value of the experiment.")
@click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True, help="Label the runs.")
@tracking_option
@click.option("--commit", is_flag=True, help="Commit the records (hooks run).")
@format_option
@click.pass_obj
def command(
    session: Session,
    experiment: str | None,
    trials: int | None,
    jobs: int | None,
    engine: str,
    scheduler: str,
    resume: str | None,
    records: str,
    fail_fast: bool,
    overrides: tuple[str, ...],
    tags: tuple[str, ...],
    tracking: str | None,
    commit: bool,
    style: str,
) -> int:
    """Try the values of EXPERIMENT.yaml's `sweep` part, and record what came of them under runs/."""
    from strata_git.runs.execute import execute
    from strata_git.runs.sweeps.how import How
    from strata_git.runs.tracking_choice import choose

    more = () if trials is None else (f"sweep.trials={trials}",)
    spec = _spec(session, experiment, (*overrides, *more), tags, resume)
    how = How(engine, jobs, scheduler, records, fail_fast)
    note(f"sweeping {spec.experiment} with plugin {spec.plugin} ...")
    choice = choose(session.settings(), session.environ, tracking or "")
    if choice.note:
        note(choice.note)
    if resume is None:
        _tell_unfinished(session, spec)
    with watched() as steps:
        outcome = execute(
            session.repository(), session.settings(), spec, session.environ,
            open_tracker=choice.open, steps=steps, resume=_run(resume), sweeping=how,
        )  # fmt: skip
    for name in outcome.killed:
        note(f"runs/{name}: an earlier run that was killed is now on record")
    _show(session, outcome, spec, how, style)
    tell_tracking(outcome)
    _settle(session, outcome, spec, how, commit=commit)
    return EXIT[outcome.status]


def _spec(
    session: Session, file: str | None, overrides: tuple[str, ...], tags: tuple[str, ...], resume: str | None
) -> RunSpec:
    """The experiment that is swept; that of the sweep to go on with, where none is named."""
    from strata_git.runs.spec import load_spec

    if file is None and resume is None:
        raise UsageError("Which experiment?", hint="git strata sweep experiments/NAME.yaml")
    path = session.cwd / file if file is not None else _earlier_config(session, str(_run(resume)))
    if not path.is_file():
        raise UsageError(f"There is no experiment {printable(str(file))}.", hint="See experiments/")
    shown = file if file is not None else f"runs/{_run(resume)}/{path.name}"
    spec = load_spec(path.read_bytes(), file=shown, overrides=overrides, tags=tags)
    if not spec.sweep:
        raise UsageError(
            f"{printable(shown)} has no `sweep` part: it does not say what is to be tried.",
            hint="See docs/sweeps.md; a single run: git strata run " + printable(shown),
        )
    return spec


def _earlier_config(session: Session, run: str) -> Path:
    from strata_git.runs.recover import record_killed

    record_killed(session.repository())  # it may wait for its record
    path = session.repository().require_worktree() / "runs" / run / "config.yaml"
    if not path.is_file():
        raise StrataError(f"There is no runs/{printable(run)} in the work tree.", hint="git strata list runs")
    return path


def _run(resume: str | None) -> str | None:
    return None if resume is None else resume.removeprefix("runs/").rstrip("/")


def _tell_unfinished(session: Session, spec: RunSpec) -> None:
    from strata_git.runs.recover import record_killed
    from strata_git.runs.sweeps.resume import unfinished

    record_killed(session.repository())
    if found := unfinished(session.repository(), spec):
        note(f"runs/{found[0]} was this sweep, and was stopped after {found[1]} trials; to go on with those instead:")
        note(f"  git strata sweep --resume {found[0]}")


def _show(session: Session, outcome: RunOutcome, spec: RunSpec, how: How, style: str) -> None:
    from strata_git.runs.sweeps.summary import read_trials

    trials = read_trials(session.repository().require_worktree() / outcome.path / "artifacts")
    metric, direction = str(spec.sweep["metric"]), str(spec.sweep["direction"])
    measured = [one for one in trials if one["status"] == "succeeded"]
    ranked = sorted(measured, key=lambda one: (-1 if direction == "higher" else 1) * one["metrics"][metric])
    if style == "json":
        out_json(_plain(outcome, how, ranked, trials))
        return
    out(f"{outcome.path}  {outcome.status}")
    if outcome.error is not None:
        note(f"{outcome.status}: {outcome.error}")
        note(f"its log: {outcome.path}/logs.txt")
    if not trials:
        return
    out(f"{len(trials)} trials, {len(trials) - len(measured)} failed; {metric}, {direction} is better")
    if ranked:
        out(_table(ranked[:_SHOWN], spec.sweep["parameters"], metric))
    if len(ranked) > _SHOWN:
        note(f"all of them: {outcome.path}/artifacts/trials.csv")
    _plot(session, measured, metric)
    for one in [one for one in trials if one["status"] != "succeeded"][:3]:
        note(f"trial {one['trial']} failed: {one['error']}")
    if outcome.waiting:
        note(f"tracking waits, the record is complete: {outcome.waiting}")
        note("  git strata runs sync   sends what is missing; so does the next run")


def _table(ranked: Sequence[Mapping[str, Any]], paths: Mapping[str, object], metric: str) -> str:
    rows = []
    for one in ranked:
        values = (_short(one["values"][path]) for path in paths)
        rows.append((str(one["trial"]), *values, f"{one['metrics'][metric]:.6g}"))
    return table(rows, ("trial", *(path.removeprefix("params.") for path in paths), metric))


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _plot(session: Session, measured: Sequence[Mapping[str, Any]], metric: str) -> None:
    """The metric by trial, on standard output as the table is."""
    import sys

    from strata_git.index.terminal_plot import ASCII, UNICODE, plot

    plain = session.environ.get("TERM") == "dumb" or "utf" not in (sys.stdout.encoding or "").lower()
    lines = plot(
        [float(one["metrics"][metric]) for one in measured],
        [f"trial {one['trial']}" for one in measured],
        width=min(shutil.get_terminal_size().columns, 100),
        pen=ASCII if plain else UNICODE,
    )
    if lines:
        out("")
        for line in lines:
            out(line)


def _settle(session: Session, outcome: RunOutcome, spec: RunSpec, how: How, *, commit: bool) -> None:
    """Commit the records, or say how; then what can be done with the best."""
    from strata_git.authoring.commit import commit_paths

    repo = session.repository()
    paths = [outcome.path, *(f"runs/{run}" for run in how.recorded)]
    message = f"Sweep {spec.experiment}: {outcome.id}"
    if commit and outcome.status == "succeeded":
        note(f"committed {commit_paths(repo, paths, message).oid}")
        note("next:")
    else:
        note("next:")
        shown = paths if len(paths) <= _SHOWN else ["runs"]
        note(f"  {session.commit_command(shown, message)}")
    if outcome.status != "succeeded" and (repo.require_worktree() / outcome.path / "artifacts/journal.jsonl").is_file():
        note(f"  git strata sweep --resume {outcome.id}")
    elif outcome.status == "succeeded" and how.records == "best":
        for run in how.recorded:
            note(f"  git strata show {run}   the best trial's own record")


def _plain(
    outcome: RunOutcome, how: How, ranked: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "schema": "strata/sweep-outcome/v1",
        **asdict(outcome),
        "killed": list(outcome.killed),
        "records": list(how.recorded),
        "best": ranked[0] if ranked else None,
        "trials": list(trials),
    }
