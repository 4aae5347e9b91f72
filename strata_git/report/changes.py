"""What differs between two indexes, artifact by artifact. Pure."""

from __future__ import annotations

from collections.abc import Callable

from strata_git.index.records import ArtifactRecord, Index, Signature
from strata_git.report.values import Change

_ORDER = {"model": 0, "dataset": 1, "run": 2, "prompt": 3, "service": 4}


Signed = Callable[[str, str], bool]
"""Whether two trees differ in signatures alone."""


def changes_between(before: Index, after: Index, is_signed: Signed = lambda *_: False) -> tuple[Change, ...]:
    """Every artifact that was added, removed, changed or signed; models first, then datasets, runs, prompts."""
    old = {record.reference: record for record in before.artifacts}
    new = {record.reference: record for record in after.artifacts}
    told = [_change(record, "added") for name, record in new.items() if name not in old]
    told += [_change(record, "removed") for name, record in old.items() if name not in new]
    both = [(old[name], record) for name, record in new.items() if name in old and old[name].tree != record.tree]
    told += [_change(two, "signed" if _is_signed(one, two, is_signed) else "changed") for one, two in both]
    return tuple(sorted(told, key=lambda each: (_ORDER.get(each.kind, 9), each.reference, each.how)))


def signer_text(signature: Signature) -> str:
    """`Alice <a@x> (good)`."""
    return f"{signature.user or signature.fingerprint or 'an unnamed key'} ({signature.status})"


def _is_signed(old: ArtifactRecord, new: ArtifactRecord, is_signed: Signed) -> bool:
    return new.artifact.frozen and old.digest == new.digest and is_signed(old.tree, new.tree)


def _change(record: ArtifactRecord, how: str) -> Change:
    return Change(
        record.reference,
        record.artifact.kind,
        how,
        description=record.description,
        files=record.files,
        bytes=record.bytes,
        digest=record.digest,
        signers=tuple(signer_text(signature) for signature in record.signers),
    )
