"""`git strata lineage`: where an artifact comes from."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session


@click.command()
@click.argument("reference")
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@format_option
@click.pass_obj
def command(session: Session, reference: str, revision: str, style: str) -> int:
    """Trace an artifact to its data, run, code and signers.

    Ends with 2 when something on the way is missing or is not what was recorded.
    """
    from strata_git.checks.engine import exit_code
    from strata_git.checks.formats import to_text
    from strata_git.index.build import build
    from strata_git.index.describe import lineage_of
    from strata_git.index.export import lineage_document
    from strata_git.index.render import lineage_text
    from strata_git.integrity.gpg import Gpg

    repo, verifier = session.repository(), Gpg(None, environ=session.environ)
    index = build(repo, revision)
    lineage = lineage_of(repo, index, reference, verifier)
    if style == "json":
        out_json(lineage_document(lineage, index.revision))
    else:
        out(lineage_text(lineage))
    if lineage.findings:
        note(to_text(lineage.findings).rstrip("\n"))
    return exit_code(lineage.findings)
