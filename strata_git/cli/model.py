"""`git strata model`: models as artifacts."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session


@click.group()
def command() -> None:
    """Make model versions."""


@command.command()
@click.argument("name")
@click.option("--run", "run_id", required=True, metavar="RUN", help="The committed run that made the model.")
@click.option("--description", default="", help="One sentence for people.")
@click.option("--licence", "--license", default="unknown", show_default=True, help="An SPDX identifier.")
@click.option("--commit", is_flag=True, help="Commit the version (hooks run).")
@format_option
@click.pass_obj
def create(session: Session, name: str, run_id: str, description: str, licence: str, commit: bool, style: str) -> None:
    """Make the next version of model NAME from the model that a run made."""
    from strata_git.authoring.commit import commit_paths
    from strata_git.authoring.model import create_model

    repo = session.repository()
    made = create_model(repo, session.settings(), name, run_id, description=description, licence=licence)
    if style == "json":
        artifact = made.artifact
        out_json(
            {
                "schema": "strata/created/v1",
                "reference": artifact.reference,
                "path": artifact.path,
                "run": made.run,
                "digest": made.digest,
                "files": list(made.files),
                "bytes": made.bytes,
            }
        )
    else:
        out(f"{made.artifact.path}  {made.digest}")
        for path in made.files:
            out(f"  {path}")
    if commit:
        note(f"committed {commit_paths(repo, [made.artifact.path], made.message).oid}")
        return
    note("next:")
    note(f"  {session.commit_command([made.artifact.path], made.message)}")
    note(f"  git strata sign {made.artifact.path}")
    note(f"  git strata promote {made.artifact.short}")
