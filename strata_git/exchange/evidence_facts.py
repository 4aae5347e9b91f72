"""facts.txt: what the script checks, a line each, in words that a shell can read.

- `object-format FORMAT`, `revision OID`, `subject PATH`: of the repository, and what it is all about
- `head MODEL OID`: the last event of the model's line
- `artifact PATH AT COMMIT|- DIGEST`: the directory, a commit that has it, the one that introduced it, and the SHA-256
  of its CHECKSUMS.txt
- `cites digest FROM PATH`: the file FROM (below artifacts/) names the digest of PATH
- `cites content FROM PATH`: the same for the content hash, over the payload's lines alone
- `cites file PATH OTHER NAME`: the file NAME of PATH has the digest of some file of OTHER
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from strata_git.contracts.layout import METADATA, ROOT_OF, RUN_RECORD
from strata_git.exchange.subject import Subject
from strata_git.index.lineage import Mark
from strata_git.index.records import ArtifactRecord


@dataclass(frozen=True, slots=True)
class Held:
    """An artifact on the way, and a commit that holds it: the revision, or where it was before it was removed."""

    record: ArtifactRecord
    at: str


def held(subject: Subject, elsewhere: Iterable[ArtifactRecord]) -> list[Held]:
    """Everything on the way of which there is content; `elsewhere` are records that the revision lacks.

    Of what was removed that content is taken which is the cited one; none where several could be meant.
    """
    nodes = subject.lineage.nodes
    found = [Held(node.record, subject.revision) for node in nodes if node.record]
    gone = {node.id for node in nodes if node.record is None and node.kind in ROOT_OF}
    known = list(elsewhere)
    for name in sorted(gone):
        marks = [edge.claimed for edge in subject.lineage.edges if edge.source == name]
        fitting = [record for record in known if record.reference == name and _is_cited(record, marks)]
        if len(fitting) == 1 and fitting[0].introduced is not None:
            found.append(Held(fitting[0], fitting[0].introduced.commit))
    return sorted(found, key=lambda each: each.record.reference)


def _is_cited(record: ArtifactRecord, marks: Iterable[Mark]) -> bool:
    return all(
        mark.digest in (None, record.digest) and mark.content_hash in (None, record.content_hash) for mark in marks
    )


def facts_of(subject: Subject, holding: Sequence[Held], object_format: str, head: str) -> bytes:
    """The bytes of facts.txt; `head` is the object id of the model's last event (`""`: it has none)."""
    lines = [f"object-format {object_format}", f"revision {subject.revision}", f"subject {subject.artifact.path}"]
    if head:
        lines.append(f"head {subject.artifact.name} {head}")
    for each in holding:
        record = each.record
        commit = record.introduced.commit if record.introduced else "-"
        digest = (record.digest or "-").removeprefix("sha256:")
        lines.append(f"artifact {record.artifact.path} {each.at} {commit} {digest}")
    lines += sorted(set(_citations([each.record for each in holding])))
    return "".join(f"{line}\n" for line in lines).encode()


def _citations(records: Iterable[ArtifactRecord]) -> Iterator[str]:
    known = {record.reference: record for record in records}
    for record in known.values():
        path = record.artifact.path
        said = f"{path}/{RUN_RECORD if record.artifact.kind == 'run' else METADATA}"
        for cited in record.inputs:
            other = known.get(cited.reference)
            if other is None:
                continue
            if cited.digest:
                yield f"cites digest {said} {other.artifact.path}"
            if cited.content_hash:
                yield f"cites content {said} {other.artifact.path}"
        run = known.get(record.run or "")
        if run is not None and record.file is not None:
            yield f"cites file {path} {run.artifact.path} {record.file[0]}"
