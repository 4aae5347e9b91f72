"""`git strata list`: the artifacts of one kind."""

from __future__ import annotations

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.recalled import recalled
from strata_git.cli.session import Session
from strata_git.contracts.layout import KINDS


@click.command("list")
@click.argument("plural", metavar="|".join(KINDS), type=click.Choice(list(KINDS)))
@click.option(
    "--where",
    "filters",
    metavar="FILTER",
    multiple=True,
    help="Only what fits: stage=production, 'metrics.accuracy>0.9', description~iris. Several must all fit.",
)
@click.option("--sort", metavar="FIELD", default="", help="Sort by a field, or by -FIELD from the largest down.")
@click.option("--columns", metavar="FIELD,...", default="", help="Show these fields; metrics.NAME is one, too.")
@click.option("--all", "every", is_flag=True, help="Also what other branches, tags and the past hold.")
@at_option
@format_option
@click.pass_obj
@recalled
def command(
    session: Session, plural: str, filters: tuple[str, ...], sort: str, columns: str, every: bool, revision: str,
    style: str,
) -> None:  # fmt: skip
    """List datasets, runs, models, prompts or services.

    Fields: reference, name, version, created, introduced, author, commit, description, status, stage, run, code,
    dirty, inputs, metrics, metrics.NAME, signed, files, bytes, pointers, digest, content, judged, where.
    """
    from strata_git.index.export import list_document
    from strata_git.index.listing import cells, chosen, listed
    from strata_git.index.render import HEADS, list_rows

    kind = KINDS[plural]
    index = asked(session, revision)[1]
    rows = listed(index, kind, every=every)
    found = chosen(rows, filters, sort)
    records = [row.record for row in found]
    tell_unread(row.record for row in rows if row.where != "removed")
    asked_for = [name.strip() for name in columns.split(",") if name.strip()]
    if style == "json":
        document = list_document(index, plural, records)
        if every:
            document["where"] = [row.where for row in found]
        out_json(document)
    elif not found:
        note(f"There are no {plural} at {revision}." if not filters else f"None of the {plural} fits.")
    elif asked_for:
        out(table([cells(row, asked_for) for row in found], [name.upper() for name in asked_for]))
    elif every:
        placed = [(*cell, row.where) for cell, row in zip(list_rows(kind, records), found, strict=True)]
        out(table(placed, (*HEADS[kind], "WHERE")))
    else:
        out(table(list_rows(kind, records), HEADS[kind]))
