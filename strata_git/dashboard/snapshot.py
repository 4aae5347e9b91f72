"""What every page is made from: the index, the doctor's verdict, and both sorted for looking things up. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from strata_git.checks.finding import Finding
from strata_git.contracts.layout import KINDS, Artifact, artifact_of
from strata_git.dashboard.addresses import artifact_page
from strata_git.dashboard.graph import Graph, graph_of
from strata_git.doctor.verdict import Verdict
from strata_git.index.records import ArtifactRecord, FileRecord, Index, StageRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a repository under the name `title`.

    `families` are the versions of each name, oldest first; `events` and `findings` are those of one artifact.
    """

    title: str
    index: Index
    verdict: Verdict
    graph: Graph
    records: Mapping[str, ArtifactRecord]
    families: Mapping[tuple[str, str], tuple[ArtifactRecord, ...]]
    events: Mapping[Artifact, tuple[StageRecord, ...]]
    findings: Mapping[Artifact, tuple[Finding, ...]]

    def address(self, reference: str) -> str | None:
        """The page of the artifact with this reference, where the revision has it."""
        record = self.records.get(reference)
        return artifact_page(record.artifact) if record else None

    def page_of(self, path: str) -> str | None:
        """The page of the artifact in which a repository path lies."""
        artifact = artifact_of(path)
        return self.address(artifact.reference) if artifact else None

    def kind(self, reference: str) -> str:
        """What a node of the graph is: the kind of an artifact, here or not, or `commit`."""
        record = self.records.get(reference)
        if record is not None:
            return record.artifact.kind
        root = reference.partition("/")[0]
        if root in KINDS:
            return KINDS[root]
        return "run" if reference.startswith("run-") else "commit"

    def whose(self, reference: str) -> str:  # noqa: ARG002
        """Which repository an artifact is of, where there are several (`""`: there is one)."""
        return ""

    def vouched(self, reference: str) -> bool:  # noqa: ARG002
        """Whether somebody whose key counts here stands behind what is told of an artifact."""
        return True

    def stage(self, name: str, stage: str) -> ArtifactRecord | None:
        """The version of a model that is in `stage`."""
        return next((r for r in self.families.get(("model", name), ()) if stage in r.stages), None)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image among an artifact's files: its bytes are PNG or JPEG, nothing else."""

    name: str
    sha256: str
    suffix: str

    @property
    def address(self) -> str:
        """Where it lies below the site's root."""
        return f"pictures/{self.sha256}.{self.suffix}"


@dataclass(frozen=True, slots=True)
class Detail:
    """What only an artifact's own files tell.

    `documents` are its YAML and JSON documents by name, as plain data; `texts` its card and log.
    """

    record: ArtifactRecord
    files: tuple[FileRecord, ...] = ()
    documents: Mapping[str, object] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()


def snapshot_of(index: Index, verdict: Verdict, title: str) -> Snapshot:
    """Sort what is known of a revision."""
    families: dict[tuple[str, str], list[ArtifactRecord]] = defaultdict(list)
    for record in sorted(index.artifacts, key=lambda r: (r.artifact.kind, r.artifact.name, r.artifact.number)):
        families[record.artifact.kind, record.artifact.name].append(record)
    events: dict[Artifact, list[StageRecord]] = defaultdict(list)
    for event in index.events:
        events[event.model].append(event)
    findings: dict[Artifact, list[Finding]] = defaultdict(list)
    for finding in verdict.findings:
        artifact = artifact_of(finding.path)
        if artifact is not None:
            findings[artifact].append(finding)
    return Snapshot(
        title,
        index,
        verdict,
        graph_of(index),
        {record.reference: record for record in index.artifacts},
        {key: tuple(found) for key, found in families.items()},
        {key: tuple(found) for key, found in events.items()},
        {key: tuple(found) for key, found in findings.items()},
    )
