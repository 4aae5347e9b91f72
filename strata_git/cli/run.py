"""`git strata run`: one experiment, one record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.runs.execute import RunOutcome
    from strata_git.runs.spec import RunSpec

EXIT = {"succeeded": 0, "failed": 3, "interrupted": 130}


@click.command()
@click.argument("experiment", required=False)
@click.option("--experiment", "named", metavar="FILE", help="The experiment, as an option.")
@click.option("--set", "overrides", metavar="A.B=C", multiple=True, help="Change one value of the experiment.")
@click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True, help="Label the run.")
@click.option("--commit", is_flag=True, help="Commit the record (hooks run).")
@format_option
@click.pass_obj
def command(
    session: Session,
    experiment: str | None,
    named: str | None,
    overrides: tuple[str, ...],
    tags: tuple[str, ...],
    commit: bool,
    style: str,
) -> int:
    """Run EXPERIMENT.yaml and record what came of it under runs/."""
    from strata_git.runs.execute import execute

    repo = session.repository()
    spec = _spec(session, experiment or named, overrides, tags)
    note(f"running {spec.experiment} with plugin {spec.plugin} ...")
    with _watched() as steps:
        outcome = execute(repo, session.settings(), spec, session.environ, steps=steps)
    for name in outcome.killed:
        note(f"runs/{name}: an earlier run that was killed is now on record")
    if style == "json":
        out_json(_plain(outcome))
    else:
        _show(outcome)
    _settle(session, outcome, spec, commit=commit)
    return EXIT[outcome.status]


@contextmanager
def _watched() -> Iterator[Callable[[int, int | None], None] | None]:
    """How far the plugin says it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

    with Progress(SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("running", total=None)

        def told(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield told


def _spec(session: Session, file: str | None, overrides: tuple[str, ...], tags: tuple[str, ...]) -> RunSpec:
    from strata_git.runs.spec import load_spec

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
    if not outcome.tracked:
        note("tracking stopped before the end; the record is complete, logs.txt says why")


def _settle(session: Session, outcome: RunOutcome, spec: RunSpec, *, commit: bool) -> None:
    """Commit the record, or say how; then what a model is made with."""
    from strata_git.authoring.commit import commit_command, commit_paths

    repo = session.repository()
    message = f"Run {spec.experiment}: {outcome.id}"
    if commit and outcome.status == "succeeded":
        note(f"committed {commit_paths(repo, [outcome.path], message).oid}")
        note("next:")
    else:
        root = repo.require_worktree()
        elsewhere = "" if root.resolve() == session.cwd.resolve() else str(root)
        note("next:")
        note(f"  {commit_command([outcome.path], message, directory=elsewhere)}")
    if outcome.model is not None:
        note(f"  git strata model create {spec.experiment.replace('_', '-')} --run {outcome.id}")


def _plain(outcome: RunOutcome) -> dict[str, object]:
    from dataclasses import asdict

    return {"schema": "strata/run-outcome/v1", **asdict(outcome), "killed": list(outcome.killed)}
