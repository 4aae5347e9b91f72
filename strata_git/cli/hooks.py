"""`git strata hooks status`: who owns which hook."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, out, out_json, table
from strata_git.cli.session import Session


@click.group(short_help="Look at this repository's hooks.")
def command() -> None:
    """Look at this repository's hooks."""


@command.command("status", short_help="Who owns which hook.")
@format_option
@click.pass_obj
def status(session: Session, style: str) -> int:
    """List the hooks we know with their owner: ours, git-lfs, foreign, absent. Exit code 1 when one is not ours."""
    from strata_git.hooks.install import NAMES, hook_state

    states = [hook_state(session.repository(), name) for name in NAMES]
    if style == "json":
        rows = [{"name": s.name, "state": s.state, "path": str(s.path), "detail": s.detail} for s in states]
        out_json({"schema": "strata/hooks/v1", "hooks": rows})
    else:
        out(table([(s.name, s.state, s.detail, str(s.path)) for s in states], ("hook", "state", "owner", "file")))
    return 0 if all(s.state == "ours" for s in states) else 1
