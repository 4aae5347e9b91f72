"""`git strata key`: a signing key of your own."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from strata_git.authoring.keys import MadeKey, configure, make_key
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable


@click.group()
def command() -> None:
    """Make a key to sign with."""


@command.command()
@click.option("--type", "kind", type=click.Choice(["ssh", "gpg"]), default="ssh", show_default=True, help="What key.")
@click.option("--name", default="", help="Whose it is (default: git's user.name).")
@click.option("--email", default="", help="Their address (default: git's user.email).")
@click.option("--expires", default="", metavar="WHEN", help="When a GPG key ends: 2y, 90d, 2028-12-31 (never).")
@click.option("--out", "folder", type=click.Path(path_type=Path), help="Directory for it (default: your own places).")
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="File whose first line is its passphrase.")
@click.option("--no-passphrase", is_flag=True, help="Whoever has the file may sign with it: for robots.")
@click.option("--configure", "configuring", is_flag=True, help="Let git sign with it in this repository.")
@format_option
@click.pass_obj
def new(
    session: Session, kind: str, name: str, email: str, expires: str, folder: Path | None, passphrase_file: Path | None,
    no_passphrase: bool, configuring: bool, style: str,
) -> None:  # fmt: skip
    """Make a signing key (ed25519) with ssh-keygen or gpg, and tell its fingerprint and what to do next.

    An SSH key goes to ~/.ssh/id_ed25519_strata, a GPG key into your keyring; with --out into a directory of its own.
    Nothing is overwritten, and nothing is configured unless you say --configure. The passphrase is asked for.
    """
    if no_passphrase and passphrase_file:
        raise UsageError("--passphrase-file and --no-passphrase exclude each other.")
    if configuring:
        session.repository()  # before a key is made that could not be configured
    who = (name or _own(session, "user.name"), email or _own(session, "user.email"))
    secret = "" if no_passphrase else _passphrase(session, passphrase_file)
    where = _outside(session, session.cwd / folder.expanduser()) if folder else None
    made = make_key(session.environ, kind, *who, passphrase=secret, expires=expires, folder=where)
    settings = configure(session.repository(), made) if configuring else {}
    if style == "json":
        out_json({"schema": "strata/key/v1", "type": made.kind, "key": made.key, "fingerprint": made.fingerprint,
                  "public": made.public, "place": made.place, "protected": bool(secret), "configured": settings,
                  "others": list(made.other)})  # fmt: skip
        return
    _tell(made, settings, who[0], own_ring=folder is not None)


def _tell(made: MadeKey, settings: dict[str, str], name: str, *, own_ring: bool) -> None:
    from strata_git.authoring.trust_draft import plain_name

    out(f"made         {made.place}")
    out(f"fingerprint  {made.fingerprint}")
    out(made.public.rstrip("\n"))
    if made.other:
        note(f"This address has other signing keys: {', '.join(made.other)}")
    note("next:")
    if made.kind == "gpg" and own_ring:
        note(f"  export GNUPGHOME={shlex.quote(made.place)}")
    if settings:
        note(f"  (done: git config {' and '.join(f'{key}={value}' for key, value in settings.items())})")
    else:
        style = "ssh" if made.kind == "ssh" else "openpgp"
        note(f"  git config gpg.format {style} && git config user.signingkey {shlex.quote(made.signing)}")
    person = plain_name(name) or "NAME"
    note(f"  git strata trust add {person} --key {shlex.quote(made.named)}   (whoever changes the policy)")
    if made.kind == "ssh":
        note("  where there is no policy: list it in the file that gpg.ssh.allowedSignersFile of your own names")


def _outside(session: Session, folder: Path) -> Path:
    """The directory; StrataError where a secret key in it would lie in a work tree."""
    try:
        root = session.repository().worktree
    except StrataError:
        return folder
    if root is not None and folder.resolve().is_relative_to(root.resolve()):
        raise StrataError(
            f"{printable(str(folder))} is in the work tree, where a secret key does not belong.",
            hint="--out DIR   with a directory outside of the repository",
        )
    return folder


def _own(session: Session, key: str) -> str:
    """A setting of git's, where there is a repository to ask."""
    try:
        return session.repository().user_config(key) or ""
    except StrataError:
        return ""


def _passphrase(session: Session, file: Path | None) -> str:
    """The passphrase from a file, or from whoever sits at the terminal. Raises StrataError where nobody does."""
    if file is not None:
        place = session.cwd / file.expanduser()
        try:
            with place.open("rb") as stream:
                line = stream.read(4096).split(b"\n", 1)[0].removesuffix(b"\r").decode()
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or "it is not text"
            raise StrataError(f"{printable(str(place))} cannot be read: {told}.") from None
        if not line:
            raise StrataError(
                f"{printable(str(place))} holds no passphrase.", hint="--no-passphrase makes a key without"
            )
        return line
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise StrataError(
            "There is no terminal to ask for a passphrase on.",
            hint="--passphrase-file FILE   takes it from a file\n--no-passphrase   makes a key that has none",
        )
    asked = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return str(asked)
