"""`git strata diff`: what differs between two artifacts of one kind."""

from __future__ import annotations

import click

from strata_git.cli.asking import asked, at_option, tell_unread
from strata_git.cli.output import out, out_json
from strata_git.cli.session import Session


@click.command()
@click.argument("before")
@click.argument("after")
@at_option
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True,
    help="How to print; markdown is for a pull request.",
)  # fmt: skip
@click.option("--exit-code", "judged", is_flag=True, help="End with 1 when they differ, with 2 when splits overlap.")
@click.pass_obj
def command(session: Session, before: str, after: str, revision: str, style: str, judged: bool) -> int:
    """Compare two versions: data, metrics, code, prompts, parameters, files, tensors.

    Files are compared by their digests, so what Git LFS keeps elsewhere is compared too. Splits of different names that
    share a file are told as leakage.
    """
    from strata_git.index.differ import differ
    from strata_git.index.difference_told import difference_document, difference_markdown, difference_text
    from strata_git.index.select import select_anywhere

    repo, index = asked(session, revision)
    tell_unread([select_anywhere(index, one) for one in (before, after)])
    found = differ(repo, index, before, after)
    if style == "json":
        out_json(difference_document(found))
    else:
        out((difference_markdown if style == "markdown" else difference_text)(found))
    return 0 if not judged else 2 if found.overlaps else 0 if found.same else 1
