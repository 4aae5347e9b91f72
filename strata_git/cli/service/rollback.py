"""`git strata service rollback`: back to the version before, by new signed events."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.promote import key_option, terminal
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session
from strata_git.cli.trusting import require_trust_option
from strata_git.errors import UsageError


@click.command()
@click.argument("name")
@click.option("--to", "version", metavar="vN", help="This version, instead of the one that was there before.")
@click.option("--reason", required=True, help="Why; recorded in the signed tags.")
@key_option
@require_trust_option
@set_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, version: str | None, reason: str, key: str, require_trust: bool,
    overrides: tuple[str, ...], style: str,
) -> int:  # fmt: skip
    """Bring back the version that the service's stage had before. Nothing is deleted: it is promoted anew.

    Whatever `git strata promote` asks is asked here. Services that run follow by themselves.
    """
    from strata_git.serving.supervision.rollback import go_back, plan_return

    if not reason.strip():
        raise UsageError("A rollback needs a reason.", hint='--reason "predictions of Monday were wrong"')
    project = opened(session, name, overrides)
    repo, settings = session.repository(), session.settings()
    meant = plan_return(repo, settings, project.service.model, version)
    made = go_back(repo, settings, meant, reason=reason, key=key, terminal=terminal(), require_trust=require_trust)
    events = [event for one in made for event in one.events]
    if style == "json":
        out_json({
            "schema": "strata/service-rollback/v1", "service": project.name, "model": meant.model,
            "stage": meant.stage, "from": meant.current, "to": meant.version,
            "events": [{"tag": event.tag, "oid": event.oid} for event in events],
        })  # fmt: skip
    else:
        was = f" in place of {meant.current}" if meant.current else ""
        out(f"{meant.model}@{meant.version} is in {meant.stage} again{was}")
        for event in events:
            out(f"  {event.tag}  {event.oid[:12]}  signed by {event.signer}")
    for doubt in [doubt for one in made for doubt in one.doubts]:
        note(f"{doubt.severity} {doubt.rule} {doubt.message}")
    note("Publish it, all or nothing:\n  git strata push")
    return 0
