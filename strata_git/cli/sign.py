"""`git strata sign`: add your signature to artifacts."""

from __future__ import annotations

import os
import sys

import click

from strata_git.authoring.commit import commit_command, commit_paths
from strata_git.authoring.sign import Signed, sign_artifacts
from strata_git.authoring.targets import named_artifacts, work_artifacts
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.contracts.layout import SIGNATURE


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="PATH|REF...")
@click.option("--key", default="", help="Fingerprint, key id or mail of a secret GPG key.")
@click.option("--commit", is_flag=True, help="Commit the signatures, hooks on.")
@format_option
@click.pass_obj
def command(session: Session, words: tuple[str, ...], key: str, commit: bool, style: str) -> None:
    """Add your GPG signature over an artifact's CHECKSUMS.txt to its SIGNATURE.asc, also after release."""
    repo = session.repository()
    known = [artifact for artifact in work_artifacts(repo) if artifact.frozen]
    artifacts = named_artifacts(repo, words, cwd=session.cwd, known=known)
    signed = sign_artifacts(repo, artifacts, key=key, terminal=_terminal())
    paths = [_path(each) for each in signed if each.added]
    message = f"Sign {', '.join(each.artifact.reference for each in signed if each.added)}"
    made = commit_paths(repo, paths, message) if commit and paths else None
    if made is not None and made.said:
        note(made.said)
    if style == "json":
        out_json({"schema": "strata/sign/v1", "signed": [_plain(each) for each in signed]})
        return
    for each in signed:
        how = "signed by" if each.added else "was signed before by"
        out(f"{each.artifact.reference}  {each.digest}  {how} {each.fingerprint} {each.user}")
    if made is not None:
        out(f"committed as {made.oid}" + ("" if made.branch else " (HEAD is detached: the commit is on no branch)"))
    elif paths:
        root = repo.require_worktree()
        directory = "" if root.samefile(session.cwd) else str(root)
        out(f"\nNext:\n  {commit_command(paths, message, directory=directory)}")


def _path(each: Signed) -> str:
    return f"{each.artifact.path}/{SIGNATURE}" if each.released else each.artifact.path


def _plain(each: Signed) -> dict[str, object]:
    return {
        "ref": each.artifact.reference,
        "digest": each.digest,
        "fingerprint": each.fingerprint,
        "user": each.user,
        "added": each.added,
    }


def _terminal() -> str | None:
    """Where a passphrase may be asked for: only where a person sits."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    try:
        return os.ttyname(sys.stdin.fileno())
    except OSError:
        return None
