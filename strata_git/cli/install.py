"""`git strata install`: put the hooks into this repository."""

from __future__ import annotations

import click

from strata_git.cli.output import out
from strata_git.cli.session import Session


@click.command(short_help="Install the hooks, beside git-lfs's.")
@click.pass_obj
def command(session: Session) -> int:
    """Install pre-commit, pre-merge-commit, post-commit and pre-push here; in a bare repository pre-receive.

    Hooks of git-lfs stay in force; those of anybody else are left alone and named. Exit code 1 when some were.
    """
    from strata_git.authoring.merge import configure_driver
    from strata_git.hooks.install import install

    told = [*install(session.repository()), *configure_driver(session.repository())]
    out("\n".join(told))
    return 1 if any("left as it is" in line or "belongs to" in line for line in told) else 0
