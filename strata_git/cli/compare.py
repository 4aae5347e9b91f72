"""`git strata compare`: runs or models side by side."""

from __future__ import annotations

from math import isfinite

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import UsageError


@click.command()
@click.argument("references", metavar="REF REF...", nargs=-1, required=True)
@click.option("--metric", "-m", "metrics", multiple=True, help="Only this metric; may be given several times.")
@click.option("--tolerance", type=click.FloatRange(min=0), help="Figures this close are equal [default: as declared].")
@at_option
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="How to print; markdown is for a pull request.",
)  # fmt: skip
@click.pass_obj
def command(
    session: Session, references: tuple[str, ...], metrics: tuple[str, ...], tolerance: float | None, revision: str,
    style: str,
) -> None:  # fmt: skip
    """Compare the metrics of runs or models side by side; the best are marked with a star.

    Which way is better is what a model's metrics.yaml declares. Where only the metric's name tells, a question mark
    stands behind it; where nothing tells, nothing is marked.
    """
    from strata_git.index.compare import compare, comparison_document, comparison_markdown, comparison_rows
    from strata_git.index.differ import read_measures
    from strata_git.index.select import select_anywhere

    if len(references) < 2:
        raise UsageError("Name at least two runs or models to compare.")
    if tolerance is not None and not isfinite(tolerance):
        raise UsageError(f"{tolerance} is no tolerance.")
    repo, index = asked(session, revision)
    records = [select_anywhere(index, reference) for reference in references]
    tell_unread(records)
    measures = [read_measures(repo, index, record) for record in records]
    found = compare(records, measures, metrics, tolerance=tolerance)
    if style == "json":
        out_json(comparison_document(found, index.revision))
    elif style == "markdown":
        out(comparison_markdown(found))
    elif found.rows:
        out(table(*comparison_rows(found)))
    else:
        note("None of these has recorded a metric.")
