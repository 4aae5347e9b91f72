"""`git strata uninstall`: take the hooks out again."""

from __future__ import annotations

import click

from strata_git.cli.output import out
from strata_git.cli.session import Session


@click.command(short_help="Remove the hooks; what was there before comes back.")
@click.pass_obj
def command(session: Session) -> int:
    """Remove our hooks; a hook of git-lfs that ours stood in for comes back byte for byte."""
    from strata_git.authoring.merge import forget_driver
    from strata_git.hooks.install import uninstall

    told = [*uninstall(session.repository()), *forget_driver(session.repository())]
    out("\n".join(told))
    return 1 if any("left as it is" in line for line in told) else 0
