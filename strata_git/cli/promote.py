"""`git strata promote`: move a version up; and what demoting and archiving share with it."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from strata_git.authoring.promote import Promotion, Refused, promote
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference

reason_option = click.option("--reason", default="", help="Why; recorded in the signed tag.")
key_option = click.option("--key", default="", help="Signing key (default: signing.key, then git's user.signingkey).")


@click.command()
@click.argument("model")
@click.argument("stage", required=False)
@reason_option
@key_option
@format_option
@click.pass_obj
def command(session: Session, model: str, stage: str | None, reason: str, key: str, style: str) -> int:
    """Move MODEL[@vN] up to STAGE (default: the next one) with signed tags.

    Without @vN the highest version is meant. A version that was in production before leaves it.
    """
    meant = model_reference(model)
    return move(session, meant.name, meant.version, stage, reason=reason, key=key, style=style)


def move(
    session: Session, model: str, version: str | None, stage: str | None, *, reason: str, key: str, style: str
) -> int:
    """Do it and tell; 2 when the version may not move."""
    repo, settings = session.repository(), session.settings()
    try:
        made = promote(repo, settings, model, version, stage, reason=reason, key=key, terminal=_terminal())
    except Refused as refusal:
        if style == "text":
            raise
        out_json({"schema": "strata/promotion/v1", "refused": True, "findings": [asdict(f) for f in refusal.findings]})
        return refusal.exit_code
    if style == "json":
        out_json(_as_json(made))
    else:
        _tell(made)
    if made.unnoted:
        note(f"The notes could not be written ({made.unnoted}); the next promotion adds them.")
    return 0


def _tell(made: Promotion) -> None:
    out(f"{made.artifact.short}: {made.origin} → {made.target}")
    if made.displaced:
        out(f"{made.artifact.name}@{made.displaced}: production → experimental")
    for event in made.events:
        out(f"  {event.tag}  {event.oid[:12]}  signed by {event.signer}")
    tags = " ".join(f"'refs/tags/{event.tag}'" for event in made.events)
    note("Publish it, all or nothing:")
    # `+`: the head follows the line of events, which may lead back to an older commit; hooks judge it at both ends
    note(f"  git push --atomic REMOTE {tags} +refs/strata/ledger/{made.artifact.name} refs/notes/strata")


def _as_json(made: Promotion) -> dict[str, object]:
    return {
        "schema": "strata/promotion/v1",
        "refused": False,
        "model": made.artifact.name,
        "version": made.artifact.version,
        "from": made.origin,
        "to": made.target,
        "displaced": made.displaced,
        "commit": made.commit,
        "digest": made.digest,
        "events": [{"tag": event.tag, "oid": event.oid} for event in made.events],
    }


def _terminal() -> str | None:
    """The terminal on which gpg may ask for a passphrase."""
    try:
        return os.ttyname(0)
    except OSError:
        return None
