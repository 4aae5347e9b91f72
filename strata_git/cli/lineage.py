"""`git strata lineage`: where an artifact comes from, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.asking import asked, at_option
from strata_git.cli.output import note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import UsageError

if TYPE_CHECKING:
    from strata_git.index.lineage import Lineage


@click.command()
@click.argument("reference")
@click.option("--down", is_flag=True, help="What came of it, in place of what it came from.")
@click.option("--both", is_flag=True, help="What it came from, and what came of it.")
@at_option
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "mermaid", "dot"]), default="text", show_default=True,
    help="How to print; mermaid is drawn by forges, dot by Graphviz.",
)  # fmt: skip
@click.pass_obj
def command(session: Session, reference: str, down: bool, both: bool, revision: str, style: str) -> int:
    """Trace an artifact to its data, run, code and signers.

    Ends with 2 when something on the way is missing or is not what was recorded.
    """
    from strata_git.checks.engine import exit_code
    from strata_git.checks.formats import to_text
    from strata_git.index.describe import lineage_of
    from strata_git.index.export import lineage_document
    from strata_git.integrity.gpg import Gpg

    if down and both:
        raise UsageError("--down and --both exclude each other.")
    repo, index = asked(session, revision)
    verifier = Gpg(None, environ=session.environ)
    lineage = lineage_of(repo, index, reference, verifier, ancestors=not down, descendants=down or both)
    if style == "json":
        out_json(lineage_document(lineage, index.revision))
    else:
        out(_drawn(lineage, style, down=down, both=both))
    if lineage.findings:
        note(to_text(lineage.findings).rstrip("\n"))
    return exit_code(lineage.findings)


def _drawn(lineage: Lineage, style: str, *, down: bool, both: bool) -> str:
    from strata_git.index.drawing import lineage_dot, lineage_mermaid
    from strata_git.index.render import lineage_text

    if style == "mermaid":
        return lineage_mermaid(lineage)
    if style == "dot":
        return lineage_dot(lineage)
    told = [] if down else [lineage_text(lineage)]
    if down or both:
        told.append(lineage_text(lineage, down=True))
    return "\n\n".join(told)
