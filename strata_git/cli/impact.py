"""`git strata impact`: what descends from a dataset, a file, a run, a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.asking import REFETCH, asked, at_option, tell_unread
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import StrataError

if TYPE_CHECKING:
    from strata_git.index.impact import Impact
    from strata_git.index.records import Index


@click.command()
@click.argument("what", metavar="REF|SHA256")
@click.option(
    "--fail-on", type=click.Choice(["production", "any"]),
    help="End with 2 when what is in production, or anything at all, came of it.",
)  # fmt: skip
@at_option
@format_option
@click.pass_obj
def command(session: Session, what: str, fail_on: str | None, revision: str, style: str) -> int:
    """Show the runs, models and services that came of an artifact or of a file's bytes.

    All branches are looked at, and what was removed; models are told with the stage they are in. That a model is in
    production is what signed events say now.
    """
    from strata_git.index.impact import everything, impact_document, impact_text
    from strata_git.index.recall import recall

    repo, index = asked(session, revision)
    found = recall(repo, index, what)
    if found.unread:
        tell_unread(everything(index))
    if style == "json":
        out_json(impact_document(found, index.revision))
    else:
        out(impact_text(found))
    wrong = _disputed(index, found)
    if wrong:
        note(f"Something is wrong with the events of {', '.join(wrong)}: stages may be others.\n  git strata stages")
    touched = {"production": bool(found.in_production), "any": bool(found.descendants), None: False}
    if fail_on and (found.unread or index.shallow) and not touched[fail_on]:
        hint = REFETCH if found.unread else "git fetch --unshallow"
        raise StrataError(f"What came of {what} is not known whole here, so nothing can be promised.", hint=hint)
    if fail_on == "production" and wrong and not touched[fail_on]:
        told = f"Events of {', '.join(wrong)} do not count here, so nobody can say that none is in production."
        raise StrataError(told, hint="git strata stages    tells what is wrong")
    return 2 if touched[fail_on] else 0


def _disputed(index: Index, found: Impact) -> list[str]:
    """The models among what was found whose events have errors, so that their stages are not certain."""
    told = (*found.origins, *found.descendants)
    names = {one.record.artifact.name for one in told if one.record.artifact.kind == "model"}
    return sorted(name for name in names if any(one.severity == "error" for one in index.complaints.get(name, ())))
