"""`git strata uninstall`: take the hooks out again."""

from __future__ import annotations

import click

from strata_git.cli.output import out
from strata_git.cli.session import Session


@click.command(short_help="Remove the hooks; what was there before comes back.")
@click.pass_obj
def command(session: Session) -> int:
    """Remove our hooks, files and configuration; what ours stood in for comes back byte for byte.

    A hook of ours that somebody edited is left, and the difference is shown. Exit code 1 when one was.
    """
    from strata_git.authoring.merge import forget_driver
    from strata_git.hooks.install import uninstall

    told = uninstall(session.repository())
    out("\n".join([*map(str, told), *forget_driver(session.repository())]))
    return 1 if any(outcome.left for outcome in told) else 0
