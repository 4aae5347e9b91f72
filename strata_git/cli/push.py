"""`git strata push`: publish events, approvals and notes, all or nothing."""

from __future__ import annotations

import click

from strata_git.authoring.freshness import declare_fresh
from strata_git.authoring.publish import Published, push
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.promote import key_option, terminal
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference


@click.command()
@click.argument("remote", required=False)
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Only this model's events; may be repeated.")
@click.option("--freshness", type=int, metavar="DAYS", help="Sign, for DAYS, how far the ledger has come.")
@key_option
@format_option
@click.pass_obj
def command(
    session: Session, remote: str | None, models: tuple[str, ...], freshness: int | None, key: str, style: str
) -> None:
    """Publish the ledger to REMOTE (default: origin): event tags, chain heads, approvals, notes.

    One atomic push: where somebody else promoted first, nothing is changed there, and you are told. Branches are not
    pushed. With --freshness a signed statement goes along that names the last event of every model: from it a fresh
    clone can tell that events are missing, until it ends.
    """
    names = [model_reference(model).name for model in models]
    repo, settings = session.repository(), session.settings()
    if freshness is not None:
        declare_fresh(repo, settings, freshness, key=key, terminal=terminal())
    made = push(repo, settings, remote, names, key=key, terminal=terminal())
    if style == "json":
        out_json(_plain(made))
        return
    for ref in made.refs:
        out(f"  {ref}")
    if not made.refs and not made.notes:
        out(f"{made.remote} has everything already.")
    else:
        out(f"{made.remote}: {len(made.refs)} references" + (" and the notes" if made.notes else ""))
    for model in made.unbranched:
        note(f"Commits of {model}'s events are on no branch of {made.remote} yet: git push {made.remote} BRANCH")


def _plain(made: Published) -> dict[str, object]:
    return {
        "schema": "strata/push/v1",
        "remote": made.remote,
        "refs": list(made.refs),
        "models": list(made.models),
        "notes": made.notes,
        "unbranched": list(made.unbranched),
    }
