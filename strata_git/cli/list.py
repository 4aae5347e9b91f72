"""`git strata list`: the artifacts of one kind."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import KINDS


@click.command("list")
@click.argument("plural", metavar="|".join(KINDS), type=click.Choice(list(KINDS)))
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@format_option
@click.pass_obj
def command(session: Session, plural: str, revision: str, style: str) -> None:
    """List datasets, runs, models, prompts or services."""
    from strata_git.index.build import build
    from strata_git.index.export import list_document
    from strata_git.index.render import HEADS, list_rows
    from strata_git.index.select import records_of

    kind = KINDS[plural]
    index = build(session.repository(), revision)
    records = records_of(index, kind)
    if style == "json":
        out_json(list_document(index, plural, records))
    elif records:
        out(table(list_rows(kind, records), HEADS[kind]))
    else:
        note(f"There are no {plural} at {revision}.")
