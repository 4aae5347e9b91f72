"""`git strata demote`: take a version down a stage."""

from __future__ import annotations

import click

from strata_git.authoring.promote import in_production
from strata_git.cli.output import format_option
from strata_git.cli.promote import key_option, move, reason_option
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference


@click.command()
@click.argument("model")
@click.argument("stage", default="staging")
@reason_option
@key_option
@format_option
@click.pass_obj
def command(session: Session, model: str, stage: str, reason: str, key: str, style: str) -> int:
    """Take MODEL[@vN] from production back to STAGE (default: staging).

    Without @vN the version in production is meant. A broken version can be demoted too.
    """
    meant = model_reference(model)
    version = meant.version or in_production(session.repository(), session.settings(), meant.name)
    return move(session, meant.name, version, stage, reason=reason, key=key, style=style)
