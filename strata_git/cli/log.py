"""`git strata log`: how a model, dataset, prompt or experiment went on."""

from __future__ import annotations

import shutil
import sys

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session


@click.command()
@click.argument("name", metavar="REF")
@click.option("--metric", "-m", default="", help="Plot this metric (bytes and files are known of everything).")
@click.option("--all", "every", is_flag=True, help="Also what other branches, tags and the past hold.")
@click.option("--since", "start", metavar="DATE|REV", default="", help="Only what came after a day, or after a commit.")
@click.option("--better", type=click.Choice(["higher", "lower"]), help="Which way is better, where nothing says it.")
@click.option("--no-plot", is_flag=True, help="Only the table.")
@click.option("--ascii", "plain", is_flag=True, help="Draw with plain characters.")
@at_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, metric: str, every: bool, start: str, better: str | None, no_plot: bool, plain: bool,
    revision: str, style: str,
) -> None:  # fmt: skip
    """Show the versions of REF, oldest first, with the commits that brought them.

    REF is a model, a dataset, a prompt, or an experiment (or one of its runs). With --metric its values are plotted,
    and the best one is marked with a star.
    """
    from strata_git.index.history import history_document, history_rows, labels
    from strata_git.index.terminal_plot import ASCII, UNICODE, plot
    from strata_git.index.walk import read_history

    repo, index = asked(session, revision)
    found = read_history(repo, index, name, metric, every=every, better=better or "", start=start)
    tell_unread(point.record for point in found.points)
    if style == "json":
        out_json(history_document(found, index.revision))
        return
    if not found.points:
        note(f"Nothing called {found.name} came since {start}.")
        return
    values = [point.value for point in found.measured if point.value is not None]
    if metric and not no_plot:
        pen = ASCII if plain or not _draws(sys.stdout.encoding, session.environ.get("TERM", "")) else UNICODE
        width = _width(session.environ.get("COLUMNS", ""))
        if drawn := plot(values, labels(found.measured), width=width, pen=pen):
            out("\n".join([f"{metric} of {found.name}", *drawn, ""]))
    out(table(*history_rows(found)))


def _draws(encoding: str | None, terminal: str) -> bool:
    """Whether standard output can show more than ASCII."""
    return (encoding or "").lower().replace("-", "") == "utf8" and terminal != "dumb"


def _width(columns: str) -> int:
    if columns.isdigit() and 0 < int(columns) < 10_000:
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
