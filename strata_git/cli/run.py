"""`git strata run`: one experiment, one record."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.pipelines import followed
from strata_git.cli.session import Session
from strata_git.config import TRACKERS
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.runs.execute import RunOutcome
    from strata_git.runs.spec import RunSpec

tracking_option = click.option(
    "--tracking",
    type=click.Choice(TRACKERS),
    help="Where runs are shown beside their records (default: strata.yaml, else MLflow where it is installed).",
)
EXIT = {"succeeded": 0, "failed": 3, "interrupted": 130}


@click.command()
@click.argument("experiment", required=False)
@click.option("--experiment", "named", metavar="FILE", help="The experiment, as an option.")
@click.option("--chain", metavar="FILE", help="A chain of prompts over documents, in place of an experiment.")
@click.option("--set", "overrides", metavar="A.B=C", multiple=True, help="Change one value of the experiment.")
@click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True, help="Label the run.")
@tracking_option
@click.option("--if-changed", is_flag=True, help="Compute nothing where an earlier run is what this one would be.")
@click.option("--resume", metavar="RUN", help="Take up what RUN, which did not succeed, left unfinished.")
@click.option("--dry-run", is_flag=True, help="With --chain: tell what would be asked and what it may cost.")
@click.option("--again", is_flag=True, help="With --chain: ask even where the same was answered before.")
@click.option("--profile", metavar="NAME", help="With --chain: the profile of settings to use (else STRATA_PROFILE).")
@click.option("--records", metavar="SINK", help="With --chain: an S3 sink that numbers the run and keeps its record.")
@click.option("--commit", is_flag=True, help="Commit the record (hooks run).")
@format_option
@click.pass_obj
def command(
    session: Session,
    experiment: str | None,
    named: str | None,
    chain: str | None,
    dry_run: bool,
    again: bool,
    profile: str | None,
    overrides: tuple[str, ...],
    tags: tuple[str, ...],
    tracking: str | None,
    if_changed: bool,
    resume: str | None,
    records: str | None,
    commit: bool,
    style: str,
) -> int:
    """Run EXPERIMENT.yaml and record what came of it under runs/."""
    from strata_git.cli import chain as chains
    from strata_git.runs.execute import execute
    from strata_git.runs.tracking_choice import choose

    repo = session.repository()
    if chain is not None:
        spec = chains.chain_spec(session, chain, overrides, tags, profile, again=again)
        if dry_run:
            return chains.dry_run(session, spec, style)
    elif dry_run or again or profile or records:
        raise UsageError(
            "--dry-run, --again, --profile and --records are for chains.", hint="git strata run --chain FILE"
        )
    else:
        spec = _single(_spec(session, experiment or named, overrides, tags, resume), resume)
    if if_changed and _is_known(session, spec, style):
        return 0
    note(f"running {spec.experiment} with plugin {spec.plugin} ...")
    kept = chains.records_of(session, spec, records) if records else None
    choice = choose(session.settings(), session.environ, tracking or "")
    if choice.note:
        note(choice.note)
    with followed(session), watched() as steps:
        outcome = execute(
            repo, session.settings(), spec, session.environ, open_tracker=choice.open, steps=steps, resume=resume,
            claim=kept.claim if kept else None, mask=session.mask(),
        )  # fmt: skip
    for name in outcome.killed:
        note(f"runs/{name}: an earlier run that was killed is now on record")
    if style == "json":
        out_json(_plain(outcome))
    else:
        _show(outcome)
    tell_tracking(outcome)
    if kept:
        note(f"its record: {kept.keep(repo.require_worktree() / outcome.path)}")
    _settle(session, outcome, spec, commit=commit)
    return EXIT[outcome.status]


def _single(spec: RunSpec, resume: str | None) -> RunSpec:
    """The run of an experiment's own values, whatever its `sweep` part would try."""
    if not spec.sweep:
        return spec
    if resume is not None:
        raise UsageError(f"{resume} is a sweep.", hint=f"git strata sweep --resume {resume}")
    from dataclasses import replace

    note("the experiment's sweep part is left alone; to make its trials: git strata sweep")
    return replace(spec, sweep={})


def _is_known(session: Session, spec: RunSpec, style: str) -> bool:
    """Whether an earlier run will do, which is then named."""
    from strata_git.runs.reuse import reuse

    found = reuse(session.repository(), spec, repository=session.settings().repository)
    if found is None:
        return False
    if style == "json":
        out_json({"schema": "strata/run-outcome/v1", "id": found, "status": "unchanged", "path": f"runs/{found}"})
    else:
        out(f"runs/{found}  unchanged")
    return True


@contextmanager
def watched() -> Iterator[Callable[[int, int | None], None] | None]:
    """How far the plugin says it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    # a descriptor of its own: what the process writes to the ordinary one goes into the run's log
    with (
        open(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as terminal,
        Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=terminal, force_terminal=True),
            redirect_stdout=False,
            redirect_stderr=False,
        ) as bar,
    ):
        task = bar.add_task("running", total=None)

        def told(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield told


def _spec(
    session: Session, file: str | None, overrides: tuple[str, ...], tags: tuple[str, ...], resume: str | None = None
) -> RunSpec:
    """The experiment's spec; that of the run to be taken up, where no experiment is named."""
    from strata_git.runs.spec import load_spec

    if file is None and resume is not None:
        from strata_git.runs.recover import record_killed

        record_killed(session.repository())  # the run may wait for its record
        path = session.repository().require_worktree() / "runs" / resume / "config.yaml"
        if not path.is_file():
            raise StrataError(f"There is no runs/{printable(resume)} in the work tree.", hint="git strata list runs")
        return load_spec(path.read_bytes(), file=f"runs/{resume}/config.yaml", overrides=overrides, tags=tags)
    if file is None:
        raise UsageError("Which experiment?", hint="git strata run experiments/NAME.yaml")
    path = session.cwd / file
    if not path.is_file():
        raise UsageError(f"There is no experiment {printable(file)}.", hint=_known(session.cwd))
    return load_spec(path.read_bytes(), file=file, overrides=overrides, tags=tags)


def _known(directory: Path) -> str:
    found = sorted(path.name for path in (directory / "experiments").glob("*.yaml"))
    return f"There are: {', '.join(printable(f'experiments/{name}') for name in found)}" if found else ""


def _show(outcome: RunOutcome) -> None:
    out(f"{outcome.path}  {outcome.status}")
    if outcome.error is not None:
        note(f"{outcome.status}: {outcome.error}")
        note(f"its log: {outcome.path}/logs.txt")
    if outcome.metrics:
        rows = [(name, f"{value:.6g}") for name, value in outcome.metrics.items()]
        out(table(rows, ("metric", "value")))
    if outcome.kept:
        note(f"the work tree was not as HEAD; it is kept: git show {outcome.kept}")
        note(f"  git strata runs push {outcome.id}   publishes it, so that others can reproduce the run")


def tell_tracking(outcome: RunOutcome) -> None:
    """Say what the tracker does not have, where it does not have everything."""
    if outcome.waiting:
        note(f"tracking waits, the record is complete: {outcome.waiting}")
        note("  git strata runs sync   sends what is missing; so does the next run")
    elif not outcome.tracked:
        note("tracking stopped before the end; the record is complete, logs.txt says why")


def _settle(session: Session, outcome: RunOutcome, spec: RunSpec, *, commit: bool) -> None:
    """Commit the record, or say how; then what a model is made with."""
    from strata_git.authoring.commit import commit_paths
    from strata_git.cli import chain as chains

    repo = session.repository()
    message = f"Run {spec.experiment}: {outcome.id}"
    paths = [*chains.prompts_to_commit(session, spec), outcome.path]
    if commit and outcome.status == "succeeded":
        note(f"committed {commit_paths(repo, paths, message).oid}")
        note("next:")
    else:
        note("next:")
        note(f"  {session.commit_command(paths, message)}")
    if outcome.model is not None:
        note(f"  git strata model create {spec.experiment.replace('_', '-')} --run {outcome.id}")


def _plain(outcome: RunOutcome) -> dict[str, object]:
    from dataclasses import asdict

    return {"schema": "strata/run-outcome/v1", **asdict(outcome), "killed": list(outcome.killed)}
