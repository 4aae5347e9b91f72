"""`git strata sign`: add your signature to artifacts."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.contracts.layout import MODEL_SIG, SIGNATURE, Artifact
from strata_git.errors import StrataError, UsageError, printable

Row = dict[str, object]


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="PATH|REF...")
@click.option(
    "--key",
    default="",
    help="Fingerprint or mail of a GPG key, or an SSH key file; with --oms a PEM file.",
)
@click.option("--oms", is_flag=True, help="Write model.sig, in the OpenSSF Model Signing format, with an EC key.")
@click.option("--passphrase-file", type=click.Path(), help="File whose first line is the passphrase of the PEM key.")
@click.option("--commit", is_flag=True, help="Commit the signatures, hooks on.")
@format_option
@click.pass_obj
def command(
    session: Session, words: tuple[str, ...], key: str, oms: bool, passphrase_file: str | None, commit: bool, style: str
) -> None:
    """Add your GPG signature over an artifact's CHECKSUMS.txt to its SIGNATURE.asc, also after release.

    With --oms, sign in the OpenSSF Model Signing format instead: `--key KEY.pem`, an EC key on P-256, P-384 or P-521.
    """
    from strata_git.authoring.targets import named_artifacts, work_artifacts

    if not oms and passphrase_file:
        raise UsageError("--passphrase-file goes with --oms; gpg asks for its own passphrases.")
    repo = session.repository()
    known = [artifact for artifact in work_artifacts(repo) if artifact.frozen]
    artifacts = named_artifacts(repo, words, cwd=session.cwd, known=known)
    rows = _model_rows(session, artifacts, key, passphrase_file) if oms else _rows(session, artifacts, key)
    _finish(session, rows, commit, style)


def _rows(session: Session, artifacts: Sequence[Artifact], key: str) -> list[Row]:
    from strata_git.authoring.sign import sign_artifacts

    return [
        {
            "ref": each.artifact.reference,
            "digest": each.digest,
            "fingerprint": each.fingerprint,
            "user": each.user,
            "added": each.added,
            "file": f"{each.artifact.path}/{SIGNATURE}" if each.released else each.artifact.path,
        }
        for each in sign_artifacts(session.repository(), artifacts, key=key, terminal=_terminal())
    ]


def _model_rows(session: Session, artifacts: Sequence[Artifact], key: str, passphrase_file: str | None) -> list[Row]:
    from strata_git.authoring.sign_model import sign_models

    if not key:
        raise UsageError("--oms needs a key: --key KEY.pem.", hint="openssl ecparam -name prime256v1 -genkey -noout")
    passphrase = None
    if passphrase_file:
        passphrase = _file(session.cwd / passphrase_file).split(b"\n", 1)[0].removesuffix(b"\r")
    signed = sign_models(session.repository(), artifacts, key=_file(session.cwd / key), passphrase=passphrase)
    return [
        {
            "ref": each.artifact.reference,
            "digest": each.digest,
            "fingerprint": each.hint,
            "user": "",
            "added": each.added,
            "file": f"{each.artifact.path}/{MODEL_SIG}" if each.released else each.artifact.path,
        }
        for each in signed
    ]


def _finish(session: Session, rows: list[Row], commit: bool, style: str) -> None:
    """Commit when asked to, and say what was done."""
    from strata_git.authoring.commit import commit_command, commit_paths

    repo = session.repository()
    files = [str(row.pop("file")) for row in rows]
    paths = [file for file, row in zip(files, rows, strict=True) if row["added"]]
    message = f"Sign {', '.join(str(row['ref']) for row in rows if row['added'])}"
    made = commit_paths(repo, paths, message) if commit and paths else None
    if made is not None and made.said:
        note(made.said)
    if style == "json":
        out_json({"schema": "strata/sign/v1", "signed": rows})
        return
    for row in rows:
        how = "signed by" if row["added"] else "was signed before by"
        out(f"{row['ref']}  {row['digest']}  {how} {row['fingerprint']} {row['user']}".rstrip())
    if made is not None:
        out(f"committed as {made.oid}" + ("" if made.branch else " (HEAD is detached: the commit is on no branch)"))
    elif paths:
        root = repo.require_worktree()
        directory = "" if root.samefile(session.cwd) else str(root)
        out(f"\nNext:\n  {commit_command(paths, message, directory=directory)}")


def _file(path: Path) -> bytes:
    """A key or passphrase; StrataError in words when it cannot be read, or is plainly no such thing."""
    try:
        with path.open("rb") as stream:
            data = stream.read((64 << 10) + 1)
    except OSError as error:
        raise StrataError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from None
    if len(data) > 64 << 10:
        raise StrataError(f"{printable(str(path))} is too large to be a key.")
    return data


def _terminal() -> str | None:
    """Where a passphrase may be asked for: only where a person sits."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    try:
        return os.ttyname(sys.stdin.fileno())
    except OSError:
        return None
