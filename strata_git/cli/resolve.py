"""`git strata resolve`: make a forked line of events one again."""

from __future__ import annotations

import click

from strata_git.authoring.resolve import Resolution, resolve
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.promote import key_option, reason_option, terminal
from strata_git.cli.session import Session
from strata_git.cli.stages import model_reference


@click.command()
@click.argument("model")
@click.option("--keep", default="", metavar="TAG", help="The last event of the line whose claims hold.")
@reason_option
@key_option
@format_option
@click.pass_obj
def command(session: Session, model: str, keep: str, reason: str, key: str, style: str) -> None:
    """Heal the events of MODEL where two of them follow the same one.

    A signed event names all ends of the line and nothing is deleted. What only one line did is kept; where two
    contradict each other, the one that ends in TAG holds (default: the one this clone recorded as the model's last).
    """
    name = model_reference(model).name
    made = resolve(session.repository(), session.settings(), name, keep, reason=reason, key=key, terminal=terminal())
    if style == "json":
        out_json(_plain(made))
        return
    healing = made.healing
    joined = " and ".join(event.tag for event in healing.others)
    out(f"{name}: {joined} joined to {healing.kept.tag}")
    for version, placed in healing.versions.items():
        out(f"  {name}@{version}  {placed.stage}")
    for event, stage in healing.undone:
        version = event.record.version if event.record else "?"
        out(f"  {event.tag} does not hold: {name}@{version} is in {stage}")
    for event in made.events:
        out(f"  {event.tag}  {event.oid[:12]}  signed by {event.signer}")
    note("Publish it:\n  git strata push")
    if made.unnoted:
        note(f"The notes could not be written ({made.unnoted}); the next promotion adds them.")


def _plain(made: Resolution) -> dict[str, object]:
    healing = made.healing
    return {
        "schema": "strata/resolution/v1",
        "model": made.model,
        "kept": healing.kept.tag,
        "joined": [event.tag for event in healing.others],
        "versions": [{"version": v, "stage": placed.stage} for v, placed in healing.versions.items()],
        "undone": [{"tag": event.tag, "stage": stage} for event, stage in healing.undone],
        "events": [{"tag": event.tag, "oid": event.oid} for event in made.events],
    }
