"""`git strata status`: where the workspace stands, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field

import click

from strata_git.authoring.targets import work_artifacts
from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session
from strata_git.contracts.layout import SETTINGS, SIGNATURE, Artifact
from strata_git.doctor.subject import commit_subject
from strata_git.errors import StrataError
from strata_git.repo.command import Repository


@dataclass(slots=True)
class Status:
    """Facts about a workspace, and the steps that follow from them."""

    released: int = 0
    uncommitted: list[Artifact] = field(default_factory=list)
    unsigned: list[Artifact] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


@click.command()
@format_option
@click.pass_obj
def command(session: Session, style: str) -> None:
    """Tell what is uncommitted, unsigned or not installed, and the command for each."""
    repo = session.repository()
    repo.require_worktree()
    status = survey(repo)
    if style == "json":
        out_json(_plain(status))
        return
    out(f"{status.released} released versions and runs, {len(status.uncommitted)} not committed yet")
    for name, artifacts in (("not committed", status.uncommitted), ("unsigned", status.unsigned)):
        for artifact in artifacts:
            out(f"  {name}: {artifact.reference}")
    for line in status.hooks:
        out(f"  hooks: {line}")
    out("\nNext:" if status.steps else "\nNothing to do.")
    for step in status.steps:
        out(f"  {step}")


def survey(repo: Repository) -> Status:
    """Look at the work tree, HEAD and the hooks."""
    root = repo.require_worktree()
    status = Status()
    if not (root / SETTINGS).exists():
        status.steps.append("git strata init .")
    head = repo.head()
    released = commit_subject(repo, head).artifacts if head else {}
    status.released = sum(artifact.frozen for artifact in released)
    here = [artifact for artifact in work_artifacts(repo) if artifact.frozen]
    status.uncommitted = [artifact for artifact in here if artifact not in released]
    status.unsigned = [a for a in here if a.kind == "model" and not (root / a.path / SIGNATURE).exists()]
    for artifact in status.uncommitted:
        status.steps.append(f"git add {artifact.path} && git commit -m 'Add {artifact.reference}'")
    status.steps += [f"git strata sign {artifact.reference}" for artifact in status.unsigned]
    status.hooks = _missing_hooks(repo)
    if status.hooks:
        status.steps.append("git strata install")
    return status


def _missing_hooks(repo: Repository) -> list[str]:
    from strata_git.hooks.survey import unreached

    try:
        return unreached(repo)
    except StrataError as error:
        return [error.message]


def _plain(status: Status) -> dict[str, object]:
    return {
        "schema": "strata/status/v1",
        "released": status.released,
        "uncommitted": [artifact.reference for artifact in status.uncommitted],
        "unsigned": [artifact.reference for artifact in status.unsigned],
        "hooks": status.hooks,
        "next": status.steps,
    }
