"""`git strata storage`: how much the versions take, and where."""

from __future__ import annotations

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.contracts.layout import KINDS


@click.command()
@click.option("--by", type=click.Choice(["name", "version"]), default="name", show_default=True, help="One line each.")
@click.option("--kind", "plural", type=click.Choice(list(KINDS)), help="Lines of this kind only.")
@click.option("--top", type=click.IntRange(min=1), default=30, show_default=True, help="As many lines, largest first.")
@at_option
@format_option
@click.pass_obj
def command(session: Session, by: str, plural: str | None, top: int, revision: str, style: str) -> None:
    """Add up the bytes of all versions, on all branches and in the past.

    OWN are bytes that nothing else holds, NOT HERE those that are not in this clone. Git LFS objects that only archived
    or removed versions need are named, and files that Git LFS should keep. Nothing is downloaded, nothing deleted.
    """
    from strata_git.index.holdings import read_holdings
    from strata_git.index.impact import everything, key_of
    from strata_git.index.listing import stage_of, stages_now
    from strata_git.index.places import read_places
    from strata_git.index.storage import of_kind, storage, storage_document, storage_rows, storage_text, unused_versions

    repo, index = asked(session, revision)
    records = [record for record in everything(index) if record.tree]
    now = stages_now(index)
    present = {key_of(record) for record in index.artifacts}
    present |= {key for key, places in read_places(repo, index.elsewhere).items() if places}
    unused = unused_versions(records, lambda record: stage_of(record, now), present)
    found = storage(records, read_holdings(repo, records), unused, lfs=session.settings().lfs)
    if plural:
        found = of_kind(found, plural)
    tell_unread(records)
    if style == "json":
        out_json(storage_document(found, index.revision))
        return
    if not records:
        note("There is nothing that takes space.")
        return
    usages = found.versions if by == "version" else found.names
    out(table(*storage_rows(usages[:top], versions=by == "version")))
    if len(usages) > top:
        out(f"... and {len(usages) - top} more (--top {len(usages)})")
    out("\n" + storage_text(found))
