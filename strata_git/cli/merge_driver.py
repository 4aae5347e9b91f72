"""`git strata merge-driver`: what git calls for files that .gitattributes marks with `merge=strata`."""

from __future__ import annotations

from pathlib import Path

import click

from strata_git.authoring.merge import merge_file
from strata_git.cli.output import note
from strata_git.cli.session import Session
from strata_git.repo.command import Repository


@click.command(hidden=True)
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("path")
@click.pass_obj
def command(session: Session, base: Path, ours: Path, theirs: Path, path: str) -> int:
    """Merge OURS and THEIRS, which both descend from BASE, by key into OURS; PATH is the file's name.

    Git calls this (%O %A %B %P). Exit code 1 leaves a conflict, with the usual markers.
    """
    repo = Repository.discover(session.cwd, session.environ, in_hook=True)
    try:
        done = merge_file(repo, session.cwd / base, session.cwd / ours, session.cwd / theirs, path)
    finally:
        repo.close()
    if not done.clean:
        note(f"git-strata: {path} is not merged: {done.reason}.")
    return 0 if done.clean else 1
