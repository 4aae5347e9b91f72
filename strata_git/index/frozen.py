"""The index's values as rows of plain JSON, and back; for what is remembered, not for what is shown. Pure.

Rows are read again only by the schema and rule set that wrote them, and only when their digest is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import Artifact
from strata_git.index.records import (
    ArtifactRecord,
    Cited,
    Code,
    Introduction,
    Removed,
    Signature,
    StageRecord,
)  # fmt: skip

if TYPE_CHECKING:
    from strata_git.checks.finding import Finding

Row = list[Any]
"""A value as JSON has it."""


def from_artifact(artifact: Artifact) -> Row:
    """An artifact as a row."""
    return [artifact.kind, artifact.name, artifact.version]


def from_record(record: ArtifactRecord) -> Row:
    """A record as a row, in the order of its fields."""
    return [
        from_artifact(record.artifact), record.tree, record.digest, record.content_hash, record.created,
        record.description, record.status, record.files, record.bytes, record.pointers, dict(record.metrics),
        [[cited.reference, cited.digest, cited.content_hash] for cited in record.inputs], record.run,
        None if record.code is None else [record.code.commit, record.code.dirty], dict(record.outputs), record.file,
        record.checksums_oid, record.complete, [astuple(finding) for finding in record.findings],
        from_introduction(record.introduced), record.boundary, [_from_signature(one) for one in record.signers],
        list(record.stages),
    ]  # fmt: skip


def to_record(row: Row) -> ArtifactRecord:
    """A record from its row."""
    (
        artifact, tree, digest, content_hash, created, description, status, files, size, pointers, metrics, inputs, run,
        code, outputs, file, checksums, complete, findings, introduced, boundary, signers, stages,
    ) = row  # fmt: skip
    return ArtifactRecord(
        Artifact(*artifact), tree, digest, content_hash, created, description, status, files, size, pointers, metrics,
        tuple(Cited(*cited) for cited in inputs), run, None if code is None else Code(*code), outputs,
        None if file is None else (file[0], file[1]), checksums, complete, to_findings(findings) if findings else (),
        to_introduction(introduced), boundary, tuple(Signature(*one) for one in signers), tuple(stages),
    )  # fmt: skip


def from_introduction(introduced: Introduction | None) -> Row | None:
    """An introduction as a row."""
    if introduced is None:
        return None
    said = (introduced.commit, introduced.author, introduced.date, introduced.subject)
    return [*said, _from_signature(introduced.signature)]


def to_introduction(row: Row | None) -> Introduction | None:
    """An introduction from its row."""
    if row is None:
        return None
    commit, author, date, subject, signature = row
    return Introduction(commit, author, date, subject, _to_signature(signature))


def from_removed(gone: Removed) -> Row:
    """What was removed, as a row."""
    return [from_artifact(gone.artifact), from_introduction(gone.introduced)]


def to_removed(row: Row) -> Removed:
    """What was removed, from its row."""
    return Removed(Artifact(*row[0]), to_introduction(row[1]))


def from_event(event: StageRecord) -> Row:
    """An event as a row."""
    return [
        from_artifact(event.model), event.action, event.stage, event.tag, event.oid, event.commit, event.date,
        event.digest, _from_signature(event.signature), event.origin, event.sound, event.current, event.reason,
    ]  # fmt: skip


def to_event(row: Row) -> StageRecord:
    """An event from its row."""
    model, action, stage, tag, oid, commit, date, digest, signature, origin, sound, current, reason = row
    return StageRecord(
        Artifact(*model), action, stage, tag, oid, commit, date, digest, _to_signature(signature), origin, sound,
        current, reason,
    )  # fmt: skip


def from_findings(findings: Iterable[Finding]) -> Row:
    """Findings as rows."""
    return [astuple(finding) for finding in findings]


def to_findings(rows: Iterable[Row]) -> tuple[Finding, ...]:
    """Findings from their rows."""
    from strata_git.checks.finding import Finding  # most records have none

    return tuple(Finding(*row) for row in rows)


def from_complaints(complaints: Mapping[str, tuple[Finding, ...]]) -> dict[str, Row]:
    """Complaints by model."""
    return {model: from_findings(findings) for model, findings in complaints.items()}


def to_complaints(said: Mapping[str, Row]) -> dict[str, tuple[Finding, ...]]:
    """Complaints by model."""
    return {model: to_findings(rows) for model, rows in said.items()}


def _from_signature(signature: Signature | None) -> Row | None:
    return None if signature is None else [signature.fingerprint, signature.user, signature.status]


def _to_signature(row: Row | None) -> Signature | None:
    return None if row is None else Signature(*row)
