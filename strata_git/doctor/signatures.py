"""What the signatures of judged artifacts amount to, each pair of list and signature verified once per keyring."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from strata_git.checks.engine import Judgement
from strata_git.checks.finding import Finding
from strata_git.checks.signatures import judge_signatures
from strata_git.contracts.layout import Artifact
from strata_git.doctor.cache import Cache
from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository

LIMIT = 1 << 20


def signature_facts(
    repo: Repository, judged: Mapping[Artifact, Judgement], cache: Cache
) -> dict[Artifact, tuple[bytes, list[SignatureVerdict] | None]]:
    """For every signed artifact: the bytes of SIGNATURE.asc and the verdict on each block (None: gpg is not here)."""
    keyring = keyring_state(repo.environ)
    facts: dict[Artifact, tuple[bytes, list[SignatureVerdict] | None]] = {}
    keys: dict[Artifact, tuple[str, str, str]] = {}
    for artifact, judgement in judged.items():
        signature, sums = judgement.summary.get("signature_oid"), judgement.summary.get("checksums_oid")
        if isinstance(signature, str):
            keys[artifact] = (f"signed:{keyring}:{sums}:{signature}", signature, str(sums))
    kept = cache.get(key for key, _, _ in keys.values())
    fresh: dict[str, object] = {}
    for artifact, (key, signature, sums) in keys.items():
        data = _read(repo, signature)
        verdicts = _thawed(kept.get(key))
        if verdicts is None and data:
            verdicts = _verified(repo, _read(repo, sums) or b"", data)
            if verdicts is not None:
                fresh[key] = [asdict(verdict) for verdict in verdicts]
        facts[artifact] = (data or b"", verdicts)
    cache.put(fresh)
    return facts


def judge_signed(
    facts: Mapping[Artifact, tuple[bytes, list[SignatureVerdict] | None]], artifacts: Iterable[Artifact], required: bool
) -> list[Finding]:
    """Findings on the signatures of `artifacts`; `required` asks every model for one that counts."""
    findings: list[Finding] = []
    for artifact in artifacts:
        signature, verdicts = facts.get(artifact, (None, None))
        if signature is not None or (required and artifact.kind == "model"):
            findings += judge_signatures(artifact, signature, verdicts, required and artifact.kind == "model")
    return findings


def keyring_state(environ: Mapping[str, str]) -> str:
    """Changes whenever the user's public keyring does: a verdict holds for one state of the keys."""
    home = Path(environ.get("GNUPGHOME") or Path(environ.get("HOME", "/")) / ".gnupg")
    parts = [str(home)]
    for name in ("pubring.kbx", "pubring.gpg", "trustdb.gpg", "public-keys.d/pubring.db"):
        try:
            status = os.stat(home / name)
            parts.append(f"{name}:{status.st_mtime_ns}:{status.st_size}")
        except OSError:
            continue
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _verified(repo: Repository, sums: bytes, signature: bytes) -> list[SignatureVerdict] | None:
    from strata_git.integrity.gpg import Gpg

    try:
        return list(Gpg(None, environ=repo.environ).verify_detached(sums, signature))
    except StrataError:
        return None


def _read(repo: Repository, oid: str) -> bytes | None:
    try:
        return repo.objects.read(oid, LIMIT)[1]
    except (KeyError, ValueError):
        return None


def _thawed(value: object) -> list[SignatureVerdict] | None:
    if not isinstance(value, list):
        return None
    try:
        return [SignatureVerdict(**row) for row in value]
    except TypeError:
        return None
