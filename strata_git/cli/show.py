"""`git strata show`: all about one artifact."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session


@click.command()
@click.argument("reference")
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@format_option
@click.pass_obj
def command(session: Session, reference: str, revision: str, style: str) -> None:
    """Show who made an artifact, from what, its files and its stages."""
    from strata_git.index.build import build
    from strata_git.index.describe import describe
    from strata_git.index.export import artifact_document
    from strata_git.index.render import artifact_text
    from strata_git.integrity.gpg import Gpg

    repo, verifier = session.repository(), Gpg(None, environ=session.environ)
    description = describe(repo, build(repo, revision), reference, verifier)
    if style == "json":
        out_json(artifact_document(description))
    else:
        out(artifact_text(description))
