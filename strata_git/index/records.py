"""What the index holds: plain frozen values, made from what was judged and what history says. Pure.

An `ArtifactRecord` depends on nothing but an artifact's path and tree id, but for `introduced`, `signers` and `stages`,
which history, a keyring and the ledger give; so all else may be remembered by tree id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from strata_git.checks.plain import dig, items, mapping, number, numbers, text
from strata_git.contracts.layout import Artifact

if TYPE_CHECKING:
    from strata_git.checks.engine import Judgement
    from strata_git.checks.finding import Finding

UNVERIFIED = "unverified"
"""The status of a signature that nobody has checked yet."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed: the owner's fingerprint (40 hex for GPG), the key's own user id, and what was found of it.

    `status` is one of `integrity.signer.Status`, or `UNVERIFIED`: then `fingerprint` is only what the signature claims.
    """

    fingerprint: str
    user: str
    status: str


@dataclass(frozen=True, slots=True)
class Introduction:
    """The commit in which an artifact's directory first exists; `date` is the author's, ISO 8601 in UTC."""

    commit: str
    author: str
    date: str
    subject: str
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Cited:
    """What an artifact says of another: `reference`, and the digest and content hash it had."""

    reference: str
    digest: str | None = None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Something outside the repository that a run read, as far as it said what it was."""

    uri: str
    name: str = ""
    sha256: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """Rows that a run gave to a sink: how many, and the digest of them."""

    sink: str
    uri: str
    part: str = ""
    rows: int = 0
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """What a run read and wrote outside the repository; empty for a run that says nothing of the kind."""

    sources: tuple[Source, ...] = ()
    exports: tuple[Export, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """The commit from which a run was started, and whether tracked files differed from it."""

    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """All the index knows of one artifact version.

    `introduced` is None where history ends before it does (`boundary` is then the shallow clone's last commit).
    `digest` and `content_hash` are computed, not quoted. `inputs` are what a run read, what a model was trained on, a
    dataset's parents. `outputs` are a run's files, by path, with the SHA-256 recorded; `file` a model's own file with
    the SHA-256 that CHECKSUMS.txt lists. `complete` is False where objects were absent.
    """

    artifact: Artifact
    tree: str
    digest: str | None = None
    content_hash: str | None = None
    created: str = ""
    description: str = ""
    status: str = ""
    files: int = 0
    bytes: int = 0
    pointers: int = 0
    metrics: Mapping[str, float | int] = field(default_factory=dict)
    inputs: tuple[Cited, ...] = ()
    run: str | None = None
    code: Code | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    file: tuple[str, str] | None = None
    checksums_oid: str | None = None
    complete: bool = True
    findings: tuple[Finding, ...] = ()
    introduced: Introduction | None = None
    boundary: str | None = None
    signers: tuple[Signature, ...] = ()
    stages: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """`datasets/iris@v1`, `run-2026-11-21-001`."""
        return self.artifact.reference

    def count(self, severity: str) -> int:
        """How many findings of this severity stand against the artifact itself."""
        return sum(finding.severity == severity for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Removed:
    """An artifact that history knows and the revision no longer has."""

    artifact: Artifact
    introduced: Introduction | None


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One event of the ledger, told by the signed tag `tag`: `model` moves from `origin` to `stage`.

    `action` is `registration`, `entering` or `leaving`. `oid` is the tag object, `commit` what it points at, `digest`
    the content it vouches for. `sound` tells whether nothing is wrong with it, its signature included, `current`
    whether the version is in `stage` by this very event.
    """

    model: Artifact
    action: str
    stage: str
    tag: str
    oid: str
    commit: str
    date: str
    digest: str | None
    signature: Signature | None
    origin: str | None = None
    sound: bool = True
    current: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """A projection of one revision (a full commit id, `""` before the first commit), its history and the ledger.

    `commits` are those that runs name as their code and that are here. `findings` are about references between
    artifacts, `complaints` about the events of each model; what is wrong with one artifact stands in its record.
    `elsewhere` are the versions that the revision lacks: on other branches, at tags, or removed; of several contents
    under one name, each.
    """

    revision: str = ""
    artifacts: tuple[ArtifactRecord, ...] = ()
    elsewhere: tuple[ArtifactRecord, ...] = ()
    removed: tuple[Removed, ...] = ()
    events: tuple[StageRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    complaints: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    commits: Mapping[str, Introduction] = field(default_factory=dict)
    shallow: bool = False

    def held(self) -> tuple[Artifact, ...]:
        """The artifacts of the revision, in order; no record is read for it."""
        return tuple(record.artifact for record in self.artifacts)

    def get(self, reference: str) -> ArtifactRecord | None:
        """The record of exactly `reference`."""
        return next((record for record in self.artifacts if record.reference == reference), None)

    def named(self, name: str) -> tuple[ArtifactRecord, ...]:
        """The records of one name, of whatever kind, in order."""
        return tuple(record for record in self.artifacts if record.artifact.name == name)

    def of_kind(self, kind: str) -> tuple[ArtifactRecord, ...]:
        """The records of one kind (`dataset`, `run`, `model`, ...), in order."""
        return tuple(record for record in self.artifacts if record.artifact.kind == kind)

    def citing(self, reference: str) -> tuple[ArtifactRecord, ...]:
        """The records that name `reference` as an input, a parent or their run, in order."""
        return tuple(
            record
            for record in self.artifacts
            if record.run == reference or any(cited.reference == reference for cited in record.inputs)
        )


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file: name below the artifact's directory, SHA-256 (None when the object is absent), bytes, and how it is
    stored (`blob`, `pointer`, `malformed`; `absent`; `other` for links)."""

    name: str
    sha256: str | None
    size: int
    stored: str


@dataclass(frozen=True, slots=True)
class Description:
    """All about one artifact: its record with signatures checked, its files, its events, and who names it."""

    record: ArtifactRecord
    files: tuple[FileRecord, ...]
    events: tuple[StageRecord, ...]
    used_by: tuple[str, ...]
    revision: str


def record_of(artifact: Artifact, tree: str, judgement: Judgement) -> ArtifactRecord:
    """What the judged directory itself says, with everything that must come from elsewhere left open."""
    said = judgement.summary
    return ArtifactRecord(
        artifact,
        tree,
        digest=text(said.get("digest")),
        content_hash=text(said.get("content_hash")),
        created=text(said.get("created")) or "",
        description=text(said.get("description")) or "",
        status=text(said.get("status")) or "",
        files=_whole(said.get("files")),
        bytes=_whole(said.get("bytes")),
        pointers=_whole(said.get("pointers")),
        metrics=dict(sorted(numbers(said.get("metrics")))),
        inputs=tuple(_cited(item) for item in items(said.get("inputs")) if text(dig(item, "ref"))),
        run=text(said.get("run")),
        code=_code(said),
        outputs=_outputs(said),
        checksums_oid=text(said.get("checksums_oid")),
        complete=said.get("judged") is not False,
        findings=judgement.findings,
    )


def _cited(item: object) -> Cited:
    return Cited(text(dig(item, "ref")) or "", text(dig(item, "digest")), text(dig(item, "content_hash")))


def _code(said: Mapping[str, object]) -> Code | None:
    commit = text(said.get("code_commit"))
    return Code(commit, said.get("dirty") is True) if commit else None


def _outputs(said: Mapping[str, object]) -> dict[str, str]:
    listed = [(text(dig(item, "path")), text(dig(item, "sha256"))) for item in items(said.get("outputs"))]
    return dict(sorted((path, sha256) for path, sha256 in listed if path and sha256))


def _whole(value: object) -> int:
    figure = number(value)
    return int(figure) if figure is not None else 0


def outside_of(said: object) -> Outside:
    """What run.yaml says of the world outside; entries that are none are left out."""
    sources = [
        Source(uri, text(dig(item, "name")) or "", text(dig(item, "sha256")), text(dig(item, "version")))
        for item in items(dig(said, "sources"))
        if (uri := text(dig(item, "uri")))
    ]
    exports = [
        Export(sink, uri, text(dig(item, "part")) or "", _whole(dig(item, "rows")), text(dig(item, "digest")))
        for item in items(dig(said, "exports"))
        if (sink := text(dig(item, "sink"))) and (uri := text(dig(item, "uri")))
    ]
    return Outside(tuple(sources), tuple(exports))


def model_file(summary: Mapping[str, object], sums: Mapping[str, str]) -> tuple[str, str] | None:
    """A model's own file and the digest listed for it."""
    name = text(mapping(summary).get("artifact"))
    return (name, sums[name]) if name and name in sums else None
