"""`git strata whois`: which artifacts hold these bytes."""

from __future__ import annotations

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session


@click.command()
@click.argument("what", metavar="SHA256|FILE")
@at_option
@format_option
@click.pass_obj
def command(session: Session, what: str, revision: str, style: str) -> int:
    """Tell which artifacts hold a file's bytes: under which name, since which commit, on which branches.

    At least eight digits of a SHA-256 will do; a file is hashed first. What Git LFS keeps elsewhere is known by its
    pointer. Ends with 1 when nothing holds them.
    """
    from strata_git.index.impact import everything
    from strata_git.index.whois import digest_asked, whois, whois_document, whois_text

    digest = digest_asked(what, session.cwd)
    repo, index = asked(session, revision)
    holders = whois(repo, index, digest)
    tell_unread(everything(index))
    if style == "json":
        out_json(whois_document(what, digest, holders, index.revision))
    elif holders:
        out(whois_text(holders))
    else:
        note(f"Nothing here holds {digest}, on any branch or in the past.")
    return 0 if holders else 1
