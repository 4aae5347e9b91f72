"""`git strata fetch`: take in events, approvals and notes of others, and tell what became of yours."""

from __future__ import annotations

import click

from strata_git.authoring.sharing import Fetched, fetch
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.cli.stages import complaint_json, tell_complaints
from strata_git.errors import UsageError


@click.command()
@click.argument("remote", required=False)
@click.option("--yield", "give_way", is_flag=True, help="Put events of yours aside that others were faster than.")
@click.option("--join", is_flag=True, help="Take theirs beside yours: the line forks, `git strata resolve` heals it.")
@format_option
@click.pass_obj
def command(session: Session, remote: str | None, give_way: bool, join: bool, style: str) -> int:
    """Take in the ledger of REMOTE (default: origin): event tags, chain heads, approvals, receipts, notes.

    Nothing that is here is overwritten. Events that vanished or moved on the remote are told and give exit code 2, and
    so is everything that is wrong with the ledger afterwards.
    """
    if give_way and join:
        raise UsageError("--yield and --join exclude each other.")
    made = fetch(session.repository(), session.settings(), remote, give_way=give_way, join=join)
    if style == "json":
        out_json(_plain(made))
    else:
        _tell(made)
    return max(tell_complaints(each for _, each in made.complaints), 2 if made.behind else 0)


def _tell(made: Fetched) -> None:
    for tag in made.tags:
        out(f"  {tag}")
    for ref in (*made.approvals, *made.receipts):
        out(f"  {ref}")
    notes = ", notes" if made.notes else ""
    receipts = f", {len(made.receipts)} receipts" if made.receipts else ""
    out(f"{made.remote}: {len(made.tags)} events, {len(made.approvals)} approvals{receipts}{notes} new here")
    for tag, oid in made.aside:
        out(f"  put aside: {tag}  (refs/strata/aside/{oid})")
    for model, tags in made.behind.items():
        if not tags:
            note(f"{model}: nothing was taken, for events that were published have changed there.")
            continue
        note(f"{model}: others were faster, and nothing was taken. Yours were never published: {', '.join(tags)}")
        note("  git strata fetch --yield   puts yours aside; promote again after looking")
        note("  git strata fetch --join    takes both; git strata resolve then makes them one line")


def _plain(made: Fetched) -> dict[str, object]:
    return {
        "schema": "strata/fetch/v1",
        "remote": made.remote,
        "tags": list(made.tags),
        "approvals": list(made.approvals),
        "receipts": list(made.receipts),
        "behind": [{"model": model, "unpublished": list(tags)} for model, tags in made.behind.items()],
        "aside": [{"tag": tag, "oid": oid} for tag, oid in made.aside],
        "notes": made.notes,
        "complaints": [{"model": model, **complaint_json(each)} for model, each in made.complaints],
    }
