"""`git strata service stop`: end a service that runs, and wait until it has."""

from __future__ import annotations

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError


@click.command()
@click.argument("name")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS",
              help="How long to wait (default: as long as its answers may take, and ten seconds more).")  # fmt: skip
@click.pass_obj
def command(session: Session, name: str, timeout: float | None) -> None:
    """Ask a service that runs in this work tree to end: what is under way is answered, nothing more is taken."""
    from strata_git.serving.supervision.state import read_state
    from strata_git.serving.supervision.stopping import stop_service

    name = name.removeprefix("services/").rstrip("/")
    state = read_state(session.repository().require_worktree(), name)
    if state is None:
        raise StrataError(f"No service {name} runs in this work tree.", hint="git strata service status")
    note(f"{name} (process {state.pid}) is asked to end")
    seconds = stop_service(state, timeout)
    out(f"{name} has ended after {seconds:.1f} s")
