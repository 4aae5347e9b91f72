"""`git strata status`: where the workspace stands, and what to do next."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session
from strata_git.cli.standing import Status, survey

_SHOWN = 8
"""Lines of one topic that are told."""


@click.command()
@format_option
@click.pass_obj
def command(session: Session, style: str) -> None:
    """Tell what waits (not committed, unsigned, not promoted, not pushed, ...) and the command for each.

    Nothing is judged for it: findings are those that were found before. Remotes are not asked.
    """
    repo = session.repository()
    repo.require_worktree()
    status = survey(repo)
    if style == "json":
        out_json(_plain(status))
        return
    out(f"{status.released} released versions and runs, {len(status.uncommitted)} not committed yet")
    if not status.steps:
        out("\nNothing to do.")
        return
    counted: dict[str, int] = {}
    for step in status.steps:
        counted[step.topic] = counted.get(step.topic, 0) + 1
        if counted[step.topic] <= _SHOWN:
            out(f"  {step.topic}: {step.told}")
    for topic, count in counted.items():
        if count > _SHOWN:
            out(f"  {topic}: ... and {count - _SHOWN} more")
    out("\nNext:")
    for command_ in _commands(status):
        out(f"  {command_}")


def _commands(status: Status) -> list[str]:
    """Each command once, at most eight of a topic."""
    counted: dict[str, int] = {}
    found: dict[str, None] = {}
    for step in status.steps:
        counted[step.topic] = counted.get(step.topic, 0) + 1
        if counted[step.topic] <= _SHOWN:
            found[step.command] = None
    return list(found)


def _plain(status: Status) -> dict[str, object]:
    return {
        "schema": "strata/status/v1",
        "released": status.released,
        "uncommitted": [artifact.reference for artifact in status.uncommitted],
        "unsigned": [artifact.reference for artifact in status.unsigned],
        "hooks": status.hooks,
        "findings": {"errors": status.errors, "warnings": status.warnings, "unjudged": status.unjudged},
        "steps": [{"topic": step.topic, "told": step.told, "command": step.command} for step in status.steps],
        "next": list(dict.fromkeys(step.command for step in status.steps)),
    }
