"""`git strata promote`: move a version up; and what demoting and archiving share with it."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from strata_git.authoring.promote import Promotion, Refused, promote
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference
from strata_git.cli.trusting import require_trust_option

reason_option = click.option("--reason", default="", help="Why; recorded in the signed tag.")
key_option = click.option("--key", default="", help="Signing key (default: signing.key, then git's user.signingkey).")


@click.command()
@click.argument("model")
@click.argument("stage", required=False)
@reason_option
@key_option
@require_trust_option
@format_option
@click.pass_obj
def command(
    session: Session, model: str, stage: str | None, reason: str, key: str, require_trust: bool, style: str
) -> int:
    """Move MODEL[@vN] up to STAGE (default: the next one) with signed tags.

    Without @vN the highest version is meant. A version that was in production before leaves it.
    """
    meant = model_reference(model)
    return move(
        session, meant.name, meant.version, stage, reason=reason, key=key, style=style, require_trust=require_trust
    )


def move(
    session: Session, model: str, version: str | None, stage: str | None, *, reason: str, key: str, style: str,
    require_trust: bool = False,
) -> int:  # fmt: skip
    """Do it and tell; 2 when the version may not move."""
    repo, settings = session.repository(), session.settings()
    try:
        made = promote(
            repo, settings, model, version, stage, reason=reason, key=key, terminal=terminal(),
            require_trust=require_trust,
        )  # fmt: skip
    except Refused as refusal:
        if style == "text":
            raise
        out_json({"schema": "strata/promotion/v1", "refused": True, "findings": [asdict(f) for f in refusal.findings]})
        return refusal.exit_code
    if style == "json":
        out_json(_as_json(made))
    else:
        _tell(made)
    for doubt in made.doubts:
        note(f"{doubt.severity} {doubt.rule} {doubt.message}")
        note(f"  {doubt.fix}")
    if made.unnoted:
        note(f"The notes could not be written ({made.unnoted}); the next promotion adds them.")
    return 0


def _tell(made: Promotion) -> None:
    out(f"{made.artifact.short}: {made.origin} → {made.target}")
    if made.displaced:
        out(f"{made.artifact.name}@{made.displaced}: production → experimental")
    for event in made.events:
        out(f"  {event.tag}  {event.oid[:12]}  signed by {event.signer}")
    for approval in made.approvals:
        out(f"  approved by {approval.signer}  {approval.oid[:12]}")
    note("Publish it, all or nothing:\n  git strata push")
    tags = " ".join(f"'refs/tags/{event.tag}'" for event in made.events)
    head = f"refs/strata/ledger/{made.artifact.name}"
    first = made.events[0].record
    # the lease: git moves the head only from what these events follow, so that of two promoters one wins
    lease = f"--force-with-lease={head}:{(first.prev if first else None) or ''}"
    note(f"or by git alone:\n  git push --atomic REMOTE {tags} {head} refs/notes/strata {lease}")


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
        "approvals": [{"oid": each.oid, "signer": each.signer} for each in made.approvals],
        "doubts": [{"rule": each.rule, "severity": each.severity, "message": each.message} for each in made.doubts],
    }


def terminal() -> str | None:
    """The terminal on which gpg may ask for a passphrase."""
    try:
        return os.ttyname(0)
    except OSError:
        return None
