"""`git strata service task`: the commands that a service's project names."""

from __future__ import annotations

from collections.abc import Sequence

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("task", required=False)
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@set_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, task: str | None, more: tuple[str, ...], overrides: tuple[str, ...], style: str
) -> int:
    """Run a task of service.yaml in the service's directory, MORE words after its own; without TASK, list them.

    A task is words, not a line for a shell. Its exit code is this command's.
    """
    from strata_git.serving.supervision.tasks import run_task

    project = opened(session, name, overrides)
    tasks = project.service.tasks
    if task is not None:
        return run_task(project, task, environ=session.environ, tell=handed_on, more=more)
    if style == "json":
        rows = [{"name": key, "run": list(one.run), "description": one.description} for key, one in tasks.items()]
        out_json({"schema": "strata/service-tasks/v1", "service": project.name, "tasks": rows})
    elif tasks:
        out(table([(key, " ".join(one.run), one.description or "") for key, one in tasks.items()],
                  ("task", "runs", "what it is for")))  # fmt: skip
    else:
        note(f"{project.path}/service.yaml names no tasks.")
    return 0


def handed_on(channel: str, lines: Sequence[str]) -> None:
    """What a program said, on the stream where it said it."""
    for line in lines:
        click.echo(line, err=channel == "err")
