"""`git strata plugins`: what can be run."""

from __future__ import annotations

from pathlib import Path

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import StrataError


@click.command()
@format_option
@click.pass_obj
def command(session: Session, style: str) -> None:
    """List the plugins that experiments can name."""
    from dataclasses import asdict

    from strata_git.runs.catalog import list_plugins

    listed = list_plugins(_workspace(session))
    if style == "json":
        out_json({"schema": "strata/plugins/v1", "plugins": [asdict(one) for one in listed]})
        return
    rows = [(one.name, _state(one.missing, one.problem), one.summary) for one in listed]
    out(table(rows, ("plugin", "state", "what it does")))
    for extra in sorted({extra for one in listed for extra in one.missing}):
        note(f"pip install 'git-strata[{extra}]'")


def _workspace(session: Session) -> Path | None:
    """The work tree around us, whose plugins/ counts; None where there is none around."""
    try:
        return session.repository().worktree
    except StrataError:
        return None


def _state(missing: tuple[str, ...], problem: str) -> str:
    if problem:
        return "broken"
    return f"needs {', '.join(missing)}" if missing else "ready"
