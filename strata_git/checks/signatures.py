"""What the signatures of an artifact amount to (TFC-0008 section 3). Verdicts come in as facts; no key is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import SIGNATURE, Artifact
from strata_git.integrity.signer import is_signed

if TYPE_CHECKING:
    from strata_git.integrity.signer import SignatureVerdict

SSH_ARMOR = b"-----BEGIN SSH SIGNATURE-----"
_RULES = {
    "malformed": "STR-S001",
    "bad": "STR-S002",
    "unknown-key": "STR-S004",
    "expired-key": "STR-S005",
    "expired-signature": "STR-S005",
    "revoked": "STR-S005",
    "weak-hash": "STR-S006",
    "text-mode": "STR-S006",
}


def judge_signatures(
    artifact: Artifact,
    signature: bytes | None,
    verdicts: Sequence[SignatureVerdict] | None,
    required: bool = False,
) -> Iterator[Finding]:
    """Judge the bytes of SIGNATURE.asc (None: there is none) by what a verifier said of each block.

    `verdicts` is None where no verifier could be asked. `required` says that the version must be signed.
    """
    path = f"{artifact.path}/{SIGNATURE}"
    if signature is None:
        if required:
            yield found("STR-S003", path, f"{artifact.short} is not signed")
        return
    if _is_malformed(signature):
        yield found("STR-S001", path, "is not a plain sequence of armored detached signatures")
        return
    if verdicts is None:
        yield found("STR-S008", path, "not judged: no verifier is at hand")
    else:
        yield from _judge_verdicts(path, verdicts)
    if required and not is_signed(verdicts or ()):
        yield found("STR-S003", path, f"{artifact.short} has no signature that counts")


def _is_malformed(signature: bytes) -> bool:
    """Whether there is anything but armored blocks."""
    from strata_git.integrity.armor import ArmorError, split_blocks

    try:
        split_blocks(signature)
    except ArmorError:
        return True
    return False


def _judge_verdicts(path: str, verdicts: Sequence[SignatureVerdict]) -> Iterator[Finding]:
    for verdict in verdicts:
        message = f"signature by {verdict.who}: {verdict.sentence}"
        if not verdict.good:
            yield found(_RULES[verdict.status], path, message)
        elif not verdict.enrolled:
            yield found("STR-S007", path, message)
