"""`git strata runs sync`: what the tracking store does not have yet, sent to it."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable


@click.command("sync")
@click.option("--elsewhere", is_flag=True, help="Send also what was meant for another store to the one named now.")
@format_option
@click.pass_obj
def command(session: Session, elsewhere: bool, style: str) -> int:
    """Send what runs told MLflow while it was away. MLFLOW_TRACKING_URI names the store, as for a run.

    Sending twice does no harm. What does not arrive waits on; the next run tries again, too.
    """
    from strata_git.runs.catalog import TRACKING, require
    from strata_git.runs.reserve import LOCAL
    from strata_git.runs.tracking_choice import route
    from strata_git.runs.tracking_delivery import Delivered, deliver_all
    from strata_git.runs.tracking_queue import damaged

    root = session.repository().require_worktree()
    require(TRACKING)
    way = route(session.environ, root / LOCAL)
    told = deliver_all(
        way.root, way.local, way.destination, way.connect, way.status_of, elsewhere=elsewhere,
        told=lambda one: note(f"{printable(one.run)}: {one.state}") if style == "text" else None,
    )  # fmt: skip
    aside = set(damaged(way.local)) - {one.run for one in told}
    told += [Delivered(run, "damaged", f"kept as {run}.damaged") for run in sorted(aside)]
    waiting = [one for one in told if one.state == "waiting"]
    if style == "json":
        rows = [{"run": one.run, "state": one.state, "reason": one.reason, "refused": one.refused} for one in told]
        out_json({"schema": "strata/runs-sync/v1", "destination": way.destination, "runs": rows})
    elif told:
        rows_ = [(printable(one.run), one.state, "; ".join(filter(None, (one.reason, *one.refused)))) for one in told]
        out(table(rows_, ("run", "state", "")))
    else:
        note("nothing waits")
    if waiting:
        meant = all(one.reason.startswith("for ") for one in waiting)
        hint = "Name that store in MLFLOW_TRACKING_URI, or: git strata runs sync --elsewhere"
        raise StrataError(
            f"{len(waiting)} of {len(told)} runs wait on: {waiting[-1].reason}",
            hint=hint if meant else _remedy(session),
        )
    return 0


def _remedy(session: Session) -> str:
    from pathlib import Path

    from strata_git.runs.mlflow import Place, remedy

    local = Path(session.repository().require_worktree(), ".strata/local")
    return remedy(Place.chosen(session.environ, local, ""))
