"""What the signatures of judged artifacts amount to, each verified once an hour for each state of the keyring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from time import time
from typing import TYPE_CHECKING

from strata_git.checks.engine import Judgement
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import CHECKSUMS, SIGNATURE, Artifact
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import Subject
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from strata_git.integrity.signer import SignatureVerdict

FRESH = 3600.0
"""Seconds for which a verdict is remembered: keys and signatures expire without the keyring changing."""


def signature_facts(
    repo: Repository, judged: Mapping[Artifact, Judgement], cache: Cache, subject: Subject | None = None,
    *, now: float | None = None, repository: str = "",
) -> dict[Artifact, tuple[bytes, list[SignatureVerdict] | None]]:  # fmt: skip
    """For every signed artifact: the bytes of SIGNATURE.asc and the verdict on each block (None: gpg is not here).

    Files that are not stored in the repository yet are read through `subject`. Where an object is absent, the artifact
    is left out: that it was not judged is told elsewhere. `now` is Unix time, `repository` the UUID in strata.yaml.
    """
    moment = time() if now is None else now
    if not any(isinstance(judgement.summary.get("signature_oid"), str) for judgement in judged.values()):
        return {}
    from strata_git.doctor.signers import Signers  # most commits sign nothing
    from strata_git.integrity import armor, checksums

    signers = Signers(repo, repository)
    facts: dict[Artifact, tuple[bytes, list[SignatureVerdict] | None]] = {}
    keys: dict[Artifact, str] = {}
    for artifact, judgement in judged.items():
        signature, sums = judgement.summary.get("signature_oid"), judgement.summary.get("checksums_oid")
        if isinstance(signature, str):
            keys[artifact] = f"signed:{signers.state}|{sums}|{signature}"
    kept = cache.get(keys.values())
    fresh: dict[str, object] = {}
    for artifact, key in keys.items():
        sums, signature = key.split("|")[1:]
        data = _read(repo, subject, f"{artifact.path}/{SIGNATURE}", signature, armor.SIZE_LIMIT)
        if data is None:
            continue
        verdicts = _thawed(kept.get(key), moment)
        if verdicts is None:
            listed = _read(repo, subject, f"{artifact.path}/{CHECKSUMS}", sums, checksums.SIZE_LIMIT)
            if listed is None and sums != "None":
                continue
            verdicts = signers.verdicts(listed or b"", data)
            if verdicts is not None:
                fresh[key] = {"at": moment, "verdicts": [asdict(verdict) for verdict in verdicts]}
        facts[artifact] = (data, verdicts)
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
            from strata_git.checks.signatures import judge_signatures

            findings += judge_signatures(artifact, signature, verdicts, required and artifact.kind == "model")
    return findings


def _read(repo: Repository, subject: Subject | None, path: str, oid: str, limit: int) -> bytes | None:
    """A file's bytes; None where its object is absent, and no more than is needed to see that there are too many."""
    try:
        return repo.objects.read(oid, limit)[1]
    except ValueError:
        return b"\n" * (limit + 1)
    except KeyError:
        pass
    try:
        tree = subject.files([path.rpartition("/")[0]]) if subject is not None else None
        entry = tree.get(path) if tree is not None else None
        return tree.read(entry, limit) if tree is not None and entry is not None else None
    except ValueError:
        return b"\n" * (limit + 1)
    except KeyError:
        return None


def _thawed(value: object, now: float) -> list[SignatureVerdict] | None:
    from strata_git.integrity.signer import SignatureVerdict

    try:
        if not isinstance(value, dict) or not 0 <= now - value["at"] < FRESH:
            return None
        return [SignatureVerdict(**row) for row in value["verdicts"]]
    except (KeyError, TypeError):
        return None
