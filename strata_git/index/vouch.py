"""Who signed an artifact and the commit that brought it: claims read from the signatures, or verdicts of a verifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from strata_git.errors import StrataError
from strata_git.index.records import UNVERIFIED, ArtifactRecord, Introduction, Signature
from strata_git.integrity.armor import ArmorError, packets, split_blocks
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository
from strata_git.repo.history import parse_commit, split_signature

_OPENPGP = b"-----BEGIN PGP"


class Verifier(Protocol):
    """Judges the signatures that git puts into commits and tags (`integrity.gpg.Gpg` does)."""

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; never empty."""


def introduction(oid: str, data: bytes) -> Introduction:
    """A commit object's bytes as an introduction; its signature, if it has one, only claimed."""
    commit = parse_commit(oid, data)
    signature = split_signature(data)[1]
    claimed = (claimed_signers(signature) or (None,))[0] if signature else None
    return Introduction(oid, commit.author, commit.authored, commit.subject, claimed)


def claimed_signers(signature: bytes) -> tuple[Signature, ...]:
    """Who made these armored signatures by their own account."""
    if not signature.startswith(_OPENPGP):
        return (Signature("", "", UNVERIFIED),)
    try:
        blocks = split_blocks(signature if signature.endswith(b"\n") else signature + b"\n")
        made = [packet for block in blocks for packet in packets(block)]
    except ArmorError:
        return (Signature("", "", "malformed"),)
    return tuple(Signature(packet.issuer, "", UNVERIFIED) for packet in made)


def signer(verdict: SignatureVerdict) -> Signature:
    """A verdict as the index keeps it."""
    return Signature(verdict.primary or verdict.fingerprint or verdict.key_id, verdict.user, verdict.status)


def vouched(repo: Repository, record: ArtifactRecord, verifier: Verifier | None) -> ArtifactRecord:
    """`record` with the signature of its introducing commit checked.

    Without a verifier, or where it cannot work (no gpg here), the claim stays as it is.
    """
    introduced = record.introduced
    if verifier is None or introduced is None or introduced.signature is None:
        return record
    try:
        payload, signature = split_signature(repo.objects.read(introduced.commit)[1])
        verdicts = verifier.verify_tag_payload(payload, signature)
    except (StrataError, KeyError):
        return record
    return replace(record, introduced=replace(introduced, signature=signer(verdicts[0]))) if verdicts else record
