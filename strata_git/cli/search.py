"""`git strata search`: where a text stands in names, descriptions, cards, prompts."""

from __future__ import annotations

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.contracts.layout import KINDS


@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--kind", "plural", type=click.Choice(list(KINDS)), help="Only artifacts of this kind.")
@click.option("--all", "every", is_flag=True, help="Also what other branches, tags and the past hold.")
@at_option
@format_option
@click.pass_obj
def command(session: Session, text: tuple[str, ...], plural: str | None, every: bool, revision: str, style: str) -> int:
    """Find TEXT in names, metadata, cards, tags, prompts, parameters and commit subjects.

    Case makes no difference. Payload is not searched. Ends with 1 when nothing is found.
    """
    from strata_git.index.impact import everything
    from strata_git.index.search import search, search_document, search_text

    wanted = " ".join(text)
    repo, index = asked(session, revision)
    found = list(search(repo, index, wanted, kind=KINDS[plural] if plural else None, every=every))
    tell_unread(everything(index) if every else index.of_kind(KINDS[plural]) if plural else index.artifacts)
    if style == "json":
        out_json(search_document(found, wanted, index.revision))
    elif found:
        out(search_text(found, wanted))
    else:
        note(f"Nothing says '{wanted}'.")
    return 0 if found else 1
