"""Making a signing key with the stock tools, in the user's own places or in a directory of its own.

Nothing is overwritten, nothing is configured unasked, and a key has a passphrase unless somebody says that it has none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, UsageError, printable
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.policy import key_id
from strata_git.integrity.ssh import Ssh
from strata_git.repo.command import Repository

FILE = "id_ed25519_strata"
"""What an SSH key for signing is called: not `id_ed25519`, which opens doors."""
SHORTEST = 5
"""ssh-keygen takes no shorter passphrase."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key. `kind` is `ssh` or `gpg`, `key` its name in policies, `public` the public half as text.

    `signing` is what git's `user.signingkey` should say, `place` where the secret half is, `named` what `git strata
    trust add --key` is to be given. `other` are fingerprints of signing keys that the same address had before.
    """

    kind: str
    key: str
    fingerprint: str
    public: str
    signing: str
    place: str
    named: str
    other: tuple[str, ...] = ()


def make_key(
    environ: Mapping[str, str], kind: str, name: str, email: str, *, passphrase: str = "", expires: str = "",
    folder: Path | None = None,
) -> MadeKey:  # fmt: skip
    """Make an ed25519 key for signing; `passphrase` `""`: none. `folder` is where (default: the user's own places).

    Raises UsageError for what cannot be part of a key, StrataError where one is there already or none could be made.
    """
    _judge(name, email, passphrase, expires)
    if kind == "ssh":
        if expires:
            raise UsageError(
                "An SSH key does not end by itself.",
                hint="Let the trust policy say when: git strata trust add NAME --key KEY --valid-until TIME",
            )
        return _make_ssh(environ, f"{name} <{email}>", passphrase, folder)
    return _make_gpg(environ, name, email, passphrase, expires or "0", folder)


def configure(repo: Repository, made: MadeKey) -> dict[str, str]:
    """Let git sign with the key in this repository alone: what was set, in the repository's own configuration."""
    settings = {"gpg.format": "ssh" if made.kind == "ssh" else "openpgp", "user.signingkey": made.signing}
    for key, value in settings.items():
        repo.user_git("config", "--local", key, value)
    return settings


def _judge(name: str, email: str, passphrase: str, expires: str) -> None:
    for what, text in (("name", name), ("address", email), ("passphrase", passphrase), ("expiry", expires)):
        if printable(text) != text or text != text.strip():
            raise UsageError(f"A key's {what} is one line of plain text without spaces around it.")
    if not name or not email or "<" in name + email or ">" in name + email or "@" not in email:
        raise UsageError("A key needs a name and an address.", hint="--name 'Ada Lovelace' --email ada@example.org")
    if passphrase and len(passphrase) < SHORTEST:
        raise UsageError(f"A passphrase has at least {SHORTEST} characters.")


def _make_ssh(environ: Mapping[str, str], comment: str, passphrase: str, folder: Path | None) -> MadeKey:
    place = _directory(folder or _home(environ) / ".ssh") / FILE
    if os.path.lexists(place) or os.path.lexists(f"{place}.pub"):
        raise StrataError(
            f"{printable(str(place))} is there already; nothing is overwritten.",
            hint=f"Use it: git config user.signingkey {printable(str(place))}.pub\nor make another: --out DIR",
        )
    fingerprint, public = Ssh(environ=environ).generate_key(place, comment, passphrase=passphrase)
    file = f"{place}.pub"
    return MadeKey("ssh", key_id(fingerprint), fingerprint, public, file, str(place), file)


def _make_gpg(
    environ: Mapping[str, str], name: str, email: str, passphrase: str, expires: str, folder: Path | None
) -> MadeKey:
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise StrataError(
            f"{printable(str(folder))} is not empty; a keyring is made in a new directory.", hint="--out NEW-DIR"
        )
    home = _directory(folder) if folder is not None else None
    gpg = Gpg(home, environ=environ)
    before = [] if home else [key for key in gpg.secret_keys() if any(f"<{email}>" in user for user in key.users)]
    try:
        made = gpg.generate_key(name, email, passphrase=passphrase, expires=expires)
        public = gpg.public_key(made.fingerprint)
        named = made.fingerprint
        if home is not None:
            from strata_git.repo.files import write_file

            named = str(home / "public.asc")
            write_file(Path(named), public)
    finally:
        if home is not None:
            gpg.end_agent()
    place = str(home or environ.get("GNUPGHOME") or "your keyring")
    other = tuple(key.fingerprint for key in before)
    return MadeKey(
        "gpg", key_id(made.fingerprint), made.fingerprint, public.decode("ascii", "replace"), made.fingerprint, place,
        named, other,
    )  # fmt: skip


def _directory(place: Path) -> Path:
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StrataError(f"{printable(str(place))} could not be made: {error.strerror}.") from None
    return place


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        raise StrataError("There is no home directory to keep a key in.", hint="--out DIR")
    return Path(home)
