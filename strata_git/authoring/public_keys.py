"""Public keys that somebody names: a fingerprint in the keyring, a file (GPG, SSH, or PEM for model.sig), or an SSH key
as text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.policy import key_id
from strata_git.integrity.policy_keys import FILE_LIMIT, ssh_public_key
from strata_git.repo.command import Repository

_ARMORED = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_SECRET = b"PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: `key` as policies write it, `data` as it lies beside the policy, in a file ending in `suffix`."""

    key: str
    suffix: str
    data: bytes


def read_public_key(repo: Repository, text: str, *, cwd: Path) -> PublicKey:
    """The public key that `text` names: a file, `ssh-... AAAA...`, or fingerprint, id or mail of one in the keyring.

    Raises StrataError when there is none, more than one, or a secret one.
    """
    if read := ssh_public_key(text.removeprefix("key::").encode()):
        return PublicKey(f"ssh:{read[0]}", ".pub", f"{read[1]}\n".encode())
    path = Path(repo.environ.get("HOME", "/"), text[2:]) if text.startswith("~/") else cwd / text
    data = _file(path)
    if (data is None or _SECRET in data) and not path.name.endswith(".pub"):
        data = _file(path.with_name(f"{path.name}.pub")) or data  # ~/.ssh/id_ed25519 means the file beside it
    if data is None:
        data = Gpg(None, environ=repo.environ).public_key(text.removeprefix("gpg:"))
    return _parsed(repo, data, text)


def _parsed(repo: Repository, data: bytes, text: str) -> PublicKey:
    if _SECRET in data:
        raise StrataError(
            f"'{printable(text)}' is a secret key; it is not put into the repository.",
            hint="Name the public one: FILE.pub, or gpg --armor --export FINGERPRINT > FILE.asc",
        )
    if read := ssh_public_key(data.splitlines()[0] if data.strip() else b""):
        return PublicKey(f"ssh:{read[0]}", ".pub", f"{read[1]}\n".encode())
    if b"-----BEGIN PUBLIC KEY-----" in data:
        return _for_models(data, text)
    with Gpg.throwaway([], environ=repo.environ) as gpg:
        found = gpg.import_keys(data)
        if len(found) != 1:
            what = f"{len(found)} keys" if found else "no public key"
            raise StrataError(
                f"'{printable(text)}' names {what}.", hint="Name one by its whole fingerprint: gpg --list-keys"
            )
        armored = data if data.startswith(_ARMORED) else gpg.public_key(found[0])
    return PublicKey(key_id(found[0]), ".asc", armored)


def _for_models(data: bytes, text: str) -> PublicKey:
    """A key for model.sig; StrataError for one that the format does not know."""
    from strata_git.integrity.oms_keys import load_public_key
    from strata_git.integrity.oms_people import PREFIX, pem_keys

    if len(pem_keys(data)) != 1:
        raise StrataError(f"'{printable(text)}' does not hold exactly one public key.", hint="Name one key a file.")
    key = load_public_key(data)
    return PublicKey(f"{PREFIX}{key.hint}", ".pem", key.pem)


def _file(path: Path) -> bytes | None:
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return stream.read(FILE_LIMIT)
    except (OSError, ValueError):
        return None
