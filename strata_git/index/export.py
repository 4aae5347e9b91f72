"""The index and its answers as JSON data, in schemas that only grow. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from strata_git.checks.formats import as_plain
from strata_git.contracts.layout import KINDS
from strata_git.index.lineage import Edge, Lineage, Mark, Node, edges_of
from strata_git.index.records import (
    ArtifactRecord,
    Description,
    Index,
    Introduction,
    Outside,
    Removed,
    Signature,
    StageRecord,
)

INDEX, LISTING, ARTIFACT, LINEAGE = (f"strata/{name}/v1" for name in ("index", "list", "artifact", "lineage"))
Plain = dict[str, object]


def index_document(index: Index) -> Plain:
    """The whole index (schema strata/index/v1)."""
    document: Plain = {
        "schema": INDEX,
        "revision": index.revision or None,
        "shallow": index.shallow,
        "counts": counts(index.artifacts),
        "artifacts": [_artifact(record) for record in index.artifacts],
        "elsewhere": [_artifact(record) for record in index.elsewhere],
        "removed": [_removed(gone) for gone in index.removed],
        "stages": [_event(event) for event in index.events],
        "edges": [_edge(edge) for edge in edges_of(index)],
        "findings": [as_plain(finding) for finding in index.findings],
        "complaints": {
            model: [as_plain(finding) for finding in findings] for model, findings in sorted(index.complaints.items())
        },
    }
    return encodable(document)


def list_document(index: Index, plural: str, records: Iterable[ArtifactRecord]) -> Plain:
    """Artifacts of one kind (schema strata/list/v1)."""
    listed = [_artifact(record) for record in records]
    return encodable({"schema": LISTING, "revision": index.revision or None, "kind": plural, "artifacts": listed})


def artifact_document(description: Description) -> Plain:
    """One artifact in full (schema strata/artifact/v1)."""
    record = description.record
    return encodable({
        "schema": ARTIFACT,
        "revision": description.revision,
        **_artifact(record),
        "listing": [
            {"path": file.name, "sha256": file.sha256, "bytes": file.size, "stored": file.stored}
            for file in description.files
        ],
        "history": [_event(event) for event in description.events],
        "used_by": list(description.used_by),
        "findings": [as_plain(finding) for finding in record.findings],
    })  # fmt: skip


def lineage_document(lineage: Lineage, revision: str) -> Plain:
    """Where an artifact comes from (schema strata/lineage/v1)."""
    return encodable({
        "schema": LINEAGE,
        "reference": lineage.reference,
        "artifact": lineage.target.reference,
        "revision": revision,
        "nodes": [_node(node) | _outside(lineage.outside.get(node.id)) for node in lineage.nodes],
        "edges": [_edge(edge) for edge in lineage.edges],
        "findings": [as_plain(finding) for finding in lineage.findings],
    })  # fmt: skip


def counts(records: Iterable[ArtifactRecord]) -> dict[str, int]:
    """How many artifacts there are of each kind, by its root's name."""
    counted = Counter(record.artifact.kind for record in records)
    return {root: counted[kind] for root, kind in KINDS.items()}


def encodable(document: Plain) -> Plain:
    """`document` with every character that UTF-8 cannot hold (bytes of undecodable names) written as an escape."""
    return {key: _encodable(value) for key, value in document.items()}


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(inner) for inner in value]
    return value


def _artifact(record: ArtifactRecord) -> Plain:
    artifact = record.artifact
    return {
        "reference": artifact.reference,
        "kind": artifact.kind,
        "name": artifact.name,
        "version": artifact.version or None,
        "path": artifact.path,
        "tree": record.tree,
        "introduced": _introduction(record.introduced),
        "introduced_before": record.boundary,
        "digest": record.digest,
        "content_hash": record.content_hash,
        "created": record.created or None,
        "description": record.description,
        "status": record.status or None,
        "files": record.files,
        "bytes": record.bytes,
        "pointers": record.pointers,
        "metrics": dict(record.metrics),
        "inputs": [
            {"ref": cited.reference, "digest": cited.digest, "content_hash": cited.content_hash}
            for cited in record.inputs
        ],
        "run": record.run,
        "code": {"commit": record.code.commit, "dirty": record.code.dirty} if record.code else None,
        "outputs": [{"path": path, "sha256": sha256} for path, sha256 in record.outputs.items()],
        "file": {"path": record.file[0], "sha256": record.file[1]} if record.file else None,
        "signers": [_signature(signature) for signature in record.signers],
        "stages": list(record.stages),
        "judged": {
            "complete": record.complete,
            "errors": record.count("error"),
            "warnings": record.count("warning"),
        },
    }


def _removed(gone: Removed) -> Plain:
    return {"reference": gone.artifact.reference, "introduced": _introduction(gone.introduced)}


def _introduction(introduced: Introduction | None) -> Plain | None:
    if introduced is None:
        return None
    return {
        "commit": introduced.commit,
        "author": introduced.author,
        "date": introduced.date,
        "subject": introduced.subject,
        "signature": _signature(introduced.signature),
    }


def _signature(signature: Signature | None) -> Plain | None:
    if signature is None:
        return None
    return {
        "fingerprint": signature.fingerprint or None,
        "user": signature.user or None,
        "status": signature.status,
    }


def _event(event: StageRecord) -> Plain:
    return {
        "model": event.model.reference,
        "action": event.action,
        "stage": event.stage,
        "origin": event.origin,
        "tag": event.tag,
        "oid": event.oid,
        "commit": event.commit,
        "date": event.date,
        "digest": event.digest,
        "reason": event.reason,
        "signer": _signature(event.signature),
        "sound": event.sound,
        "current": event.current,
    }


def _outside(outside: Outside | None) -> Plain:
    """What a run read and wrote outside the repository."""
    if outside is None:
        return {}
    return {"sources": [asdict(one) for one in outside.sources], "exports": [asdict(one) for one in outside.exports]}


def _node(node: Node) -> Plain:
    """A node with the facts of its kind; `id` and `kind` come first and mean what they mean in edges."""
    head: Plain = {"id": node.id, "kind": node.kind, "state": node.state}
    if node.record is not None:
        return head | _artifact(node.record)
    if node.event is not None:
        return head | _event(node.event)
    if node.commit is not None:
        return head | (_introduction(node.commit) or {})
    return head


def _edge(edge: Edge) -> Plain:
    return {
        "source": edge.source,
        "target": edge.target,
        "relation": edge.relation,
        "claimed": _mark(edge.claimed),
        "actual": _mark(edge.actual),
        "matches": edge.matches,
    }


def _mark(mark: Mark) -> Plain:
    marks = {"digest": mark.digest, "content_hash": mark.content_hash, "sha256": mark.sha256}
    return {name: value for name, value in marks.items() if value is not None}
