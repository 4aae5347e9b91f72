"""`git strata archive`: end the service of a version."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option
from strata_git.cli.promote import key_option, move, reason_option
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference


@click.command()
@click.argument("model")
@reason_option
@key_option
@format_option
@click.pass_obj
def command(session: Session, model: str, reason: str, key: str, style: str) -> int:
    """Move MODEL@vN to the stage archived, from which nothing leads back."""
    meant = model_reference(model, versioned=True)
    return move(session, meant.name, meant.version, "archived", reason=reason, key=key, style=style)
