"""`git strata bisect`: the first commit in which a recorded metric crossed a limit."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import UsageError


@click.command()
@click.argument("name")
@click.option("--metric", "-m", required=True, help="The metric to look at.")
@click.option("--below", type=float, help="The first value below this one.")
@click.option("--above", type=float, help="The first value above this one.")
@click.option(
    "--drop", type=click.FloatRange(min=0), help="The first value worse by more than this than the best before."
)
@click.option("--since", "start", metavar="DATE|REV", default="", help="Only what came after a day, or after a commit.")
@click.option("--all", "every", is_flag=True, help="Also what other branches, tags and the past hold.")
@click.option("--better", type=click.Choice(["higher", "lower"]), help="Which way is better, where nothing says it.")
@at_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, metric: str, below: float | None, above: float | None, drop: float | None, start: str,
    every: bool, better: str | None, revision: str, style: str,
) -> int:  # fmt: skip
    """Find the first commit in which a metric of NAME crossed a limit, from what was recorded; nothing is trained.

    NAME is a model, or an experiment (or one of its runs). Ends with 2 when the limit was crossed, with 0 when not.
    """
    from strata_git.index.bisect import Limit, bisect, crossing_document, crossing_text
    from strata_git.index.walk import read_history, silent_commits

    given = {"below": below, "above": above, "drop": drop}
    limits = [Limit(kind, value) for kind, value in given.items() if value is not None]
    if len(limits) != 1:
        raise UsageError("Say one limit: --below X, --above X or --drop D.")
    if not isfinite(limits[0].value):
        raise UsageError(f"{limits[0].value} is no limit.")
    repo, index = asked(session, revision)
    found = read_history(repo, index, name, metric, every=every, better=better or "", start=start)
    tell_unread(point.record for point in found.points)
    crossing = bisect(found, limits[0])
    if crossing.first is not None:
        recorded = {point.commit for point in found.measured}
        good = crossing.good.commit if crossing.good else ""
        crossing = replace(crossing, silent=silent_commits(repo, good, crossing.first.commit, recorded))
    if style == "json":
        out_json(crossing_document(crossing, found, index.revision))
    else:
        out(crossing_text(crossing, found))
    return 2 if crossing.first is not None else 0
