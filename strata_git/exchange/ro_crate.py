"""RO-Crate 1.1: ro-crate-metadata.json for an artifact and all that it was made from.

It lies at the repository's root: directories and files are data entities with the paths they have there, runs are
CreateActions. Source: https://www.researchobject.org/ro-crate/specification/1.1/
"""

from __future__ import annotations

from strata_git.checks.plain import dig, text
from strata_git.contracts.layout import RUN_RECORD
from strata_git.exchange.licences import address
from strata_git.exchange.subject import Subject, moment, plain, uri
from strata_git.index.export import Plain
from strata_git.index.lineage import Node
from strata_git.index.records import ArtifactRecord

FILE = "ro-crate-metadata.json"
_STATUS = {
    "succeeded": "http://schema.org/CompletedActionStatus",
    "failed": "http://schema.org/FailedActionStatus",
    "interrupted": "http://schema.org/FailedActionStatus",
    "killed": "http://schema.org/FailedActionStatus",
}


def ro_crate(subject: Subject) -> Plain:
    """The crate's document (JSON-LD)."""
    records = [node.record for node in subject.lineage.nodes if node.record]
    commits = [node for node in subject.lineage.nodes if node.kind == "commit"]
    graph: list[Plain] = [
        {
            "@id": FILE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        _root(subject, records),
        *(_directory(subject, record) for record in records),
        *(_file(subject, name, sha256, size) for name, sha256, size in _files(subject)),
        *(_action(subject, record) for record in records if record.artifact.kind == "run"),
        *(_code(node) for node in commits),
    ]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [_told(entity) for entity in graph]}


def _code(node: Node) -> Plain:
    return {"@id": f"#commit-{node.id}", "@type": "SoftwareSourceCode", "version": node.id}


def _told(entity: Plain) -> Plain:
    return {key: value for key, value in entity.items() if value not in ("", [], None)}


def _root(subject: Subject, records: list[ArtifactRecord]) -> Plain:
    said = subject.metadata
    licence = address(said.get("licence"))
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": subject.artifact.reference,
        "description": plain(said.get("description")) or plain(said.get("experiment")) or subject.artifact.reference,
        "datePublished": moment(said.get("created")) or moment(said.get("started")),
        "license": {"@id": licence} if licence.startswith("https:") else licence or "not stated",
        "identifier": subject.record.digest,
        "version": subject.revision,
        "hasPart": [{"@id": _place(record)} for record in records],
        "mainEntity": {"@id": _place(subject.record)},
    }


def _place(record: ArtifactRecord) -> str:
    return f"{uri(record.artifact.path)}/"


def _directory(subject: Subject, record: ArtifactRecord) -> Plain:
    parts = _files(subject) if record.reference == subject.artifact.reference else []
    return {
        "@id": _place(record),
        "@type": "Dataset",
        "name": record.reference,
        "description": plain(record.description),
        "identifier": record.digest,
        "dateCreated": moment(record.created),
        "version": record.artifact.version,
        "hasPart": [{"@id": uri(f"{subject.artifact.path}/{name}")} for name, _, _ in parts],
        "isBasedOn": [{"@id": _place(other)} for other in _cited(subject, record)],
    }


def _cited(subject: Subject, record: ArtifactRecord) -> list[ArtifactRecord]:
    names = {cited.reference for cited in record.inputs} | ({record.run} if record.run else set())
    return [node.record for node in subject.lineage.nodes if node.record and node.id in names]


def _files(subject: Subject) -> list[tuple[str, str, int]]:
    return [(file.name, file.sha256, file.size) for file in subject.description.files if file.sha256]


def _file(subject: Subject, name: str, sha256: str, size: int) -> Plain:
    return {
        "@id": uri(f"{subject.artifact.path}/{name}"),
        "@type": "File",
        "name": plain(name),
        "contentSize": str(size),
        "sha256": sha256,
    }


def _action(subject: Subject, record: ArtifactRecord) -> Plain:
    said = subject.runs.get(record.reference, {}).get(RUN_RECORD, {})
    made = [
        node.record
        for node in subject.lineage.nodes
        if node.record and node.record.run == record.reference and node.record.reference != record.reference
    ]
    code = text(dig(said, "code", "commit"))
    return {
        "@id": f"#{record.reference}",
        "@type": "CreateAction",
        "name": plain(said.get("experiment")) or record.reference,
        "startTime": moment(said.get("started")),
        "endTime": moment(said.get("finished")),
        "actionStatus": {"@id": _STATUS[record.status]} if record.status in _STATUS else "",
        "instrument": {"@id": f"#commit-{code}"} if code and any(n.id == code for n in subject.lineage.nodes) else "",
        "object": [{"@id": _place(other)} for other in _cited(subject, record)],
        "result": [{"@id": _place(record)}, *({"@id": _place(other)} for other in made)],
    }
