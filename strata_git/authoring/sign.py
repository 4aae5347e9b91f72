"""`sign`: one more signature over an artifact's CHECKSUMS.txt, which must be true (TFC-0008 section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from strata_git.authoring.checksum import hash_directory, is_released
from strata_git.authoring.verify import user_gpg
from strata_git.config import load_settings
from strata_git.contracts.layout import CHECKSUMS, SETTINGS, SIGNATURE, Artifact
from strata_git.errors import StrataError, printable
from strata_git.integrity import checksums
from strata_git.integrity.armor import ArmorError, append_block, packets
from strata_git.integrity.ssh import ARTIFACTS
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.worktree import read_plain

if TYPE_CHECKING:
    from strata_git.integrity.gpg import Gpg

_LIST_LIMIT = 64 << 20
_SIGNATURE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed artifact. `added` is False when that key had signed it before; `released` when HEAD contains it."""

    artifact: Artifact
    digest: str
    fingerprint: str
    user: str
    added: bool
    released: bool


def sign_artifacts(
    repo: Repository, artifacts: Sequence[Artifact], *, key: str = "", terminal: str | None = None
) -> list[Signed]:
    """Sign each artifact of the work tree with one key, and write SIGNATURE.asc when all of them could be signed.

    `key`: fingerprint, key id or mail; else strata.yaml's `signing.key`, else git's `user.signingkey`, else the only
    secret key there is. `terminal` is where a passphrase may be asked for. Raises StrataError when a list does not
    match its directory or the key cannot be used; then nothing was written.
    """
    root = repo.require_worktree()
    lists = {artifact: true_list(repo, artifact) for artifact in artifacts}
    gpg = user_gpg(repo)
    wanted = key or load_settings(read_plain(repo, SETTINGS)).signing_key or repo.user_config("user.signingkey") or ""
    sign, fingerprint, user = _signer(repo, gpg, wanted, terminal)
    results: list[Signed] = []
    files: dict[Artifact, bytes] = {}
    for artifact, listed in lists.items():
        existing = read_plain(repo, f"{artifact.path}/{SIGNATURE}", _SIGNATURE_LIMIT)
        verdicts = gpg.verify_detached(listed, existing) if existing else []
        if any(verdict.status in ("bad", "malformed") for verdict in verdicts):
            raise StrataError(
                f"{artifact.path}/{SIGNATURE} holds a signature that is bad or cannot be read; none is added to it.",
                hint=f"git strata verify {artifact.reference}",
            )
        added = not any(v.good and fingerprint in (v.primary, v.fingerprint) for v in verdicts)
        if added:
            block = sign(listed)
            if not fingerprint:
                fingerprint, user = packets(block)[0].issuer, gpg.verify_detached(listed, block)[0].user
            added = not any(verdict.good and verdict.primary == fingerprint for verdict in verdicts)
        if added:
            files[artifact] = _appended(artifact, existing, block)
        released = is_released(repo, artifact)
        results.append(Signed(artifact, checksums.digest(listed), fingerprint, user, added, released))
    for artifact, data in files.items():
        write_file(root / artifact.path / SIGNATURE, data)
    return results


def _signer(repo: Repository, gpg: Gpg, wanted: str, terminal: str | None) -> tuple[Callable[[bytes], bytes], str, str]:
    """What signs, with the key's fingerprint and user; of an SSH key these are known when it has signed."""
    from strata_git.ledger.signing import names_ssh_key, signer_for

    if names_ssh_key(repo, wanted):
        return signer_for(repo, key=wanted, namespace=ARTIFACTS).sign, "", ""
    found = gpg.find_key(wanted)
    sign = partial(gpg.sign_detached, key=found.fingerprint, terminal=terminal)
    return sign, found.fingerprint, found.users[0] if found.users else ""


def true_list(repo: Repository, artifact: Artifact) -> bytes:
    """CHECKSUMS.txt, when it is sound and says what the directory holds; StrataError otherwise."""
    root = repo.require_worktree() / artifact.path
    listed = read_plain(repo, f"{artifact.path}/{CHECKSUMS}", _LIST_LIMIT)
    if listed is None:
        raise StrataError(f"{artifact.path} has no {CHECKSUMS} to sign.", hint=f"git strata checksum {artifact.path}")
    try:
        said = checksums.parse(listed)
    except checksums.ChecksumError as error:
        raise StrataError(f"{artifact.path}/{CHECKSUMS}:{error.line}: {printable(error.message)}") from None
    true = {name: hex_ for name, (hex_, _) in hash_directory(root).items()}
    differing = sorted(name for name in said.keys() | true.keys() if said.get(name) != true.get(name))
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise StrataError(
            f"{artifact.path} is not what its {CHECKSUMS} says ({printable(differing[0])}{more}); it is not signed.",
            hint=f"See what differs: git strata verify --deep {artifact.reference}\n"
            f"Before release: git strata checksum {artifact.path}",
        )
    return listed


def _appended(artifact: Artifact, existing: bytes | None, block: bytes) -> bytes:
    try:
        return append_block(existing, block)
    except ArmorError as error:
        raise StrataError(f"{artifact.path}/{SIGNATURE}: {printable(str(error))}.") from None
