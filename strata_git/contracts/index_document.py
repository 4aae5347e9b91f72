"""What `git strata index --json` writes (TFC-0007): read by programs of others, so it only ever grows.

These models say what we write, for the JSON Schema and the tests; nothing of ours reads documents by them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = "strata/index/v1"

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ObjectId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Kind = Literal["dataset", "model", "prompt", "run", "service"]
Severity = Literal["error", "warning", "info"]


class Told(BaseModel):
    """Something that is told: readers pass over keys that they do not know."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class ToldSignature(Told):
    """Who signed. `status` is "good" or says why it is not; "unverified" is only a claim."""

    fingerprint: str | None
    user: str | None
    status: str


class ToldIntroduction(Told):
    """The commit that first had a directory, its author, the author's date in UTC, and who signed it by its claim."""

    commit: ObjectId
    author: str
    date: str
    subject: str
    signature: ToldSignature | None


class ToldInput(Told):
    """What an artifact cites: a reference, with the digest and content hash that it recorded."""

    ref: str
    digest: str | None
    content_hash: str | None


class ToldCode(Told):
    """The commit a run started from, and whether tracked files differed from it."""

    commit: str
    dirty: bool


class ToldFile(Told):
    """A file with the SHA-256 that was recorded of it."""

    path: str
    sha256: str


class ToldJudgement(Told):
    """How many findings stand against it; complete is false where objects are absent and nothing was judged."""

    complete: bool
    errors: Count
    warnings: Count


class ToldArtifact(Told):
    """A version of an artifact, a run or a service. Digests are computed, not quoted; lists may be empty.

    `introduced_before` is the last commit of a shallow clone that is younger than the artifact.
    """

    reference: str
    kind: Kind
    name: str
    version: Annotated[str, Field(pattern=r"^v[1-9][0-9]*$")] | None
    path: str
    tree: ObjectId
    introduced: ToldIntroduction | None
    introduced_before: ObjectId | None
    digest: Digest | None
    content_hash: str | None
    created: str | None
    description: str
    status: str | None
    files: Count
    bytes: Count
    pointers: Count
    metrics: dict[str, float]
    inputs: list[ToldInput]
    run: str | None
    code: ToldCode | None
    outputs: list[ToldFile]
    file: ToldFile | None
    signers: list[ToldSignature]
    stages: list[str]
    judged: ToldJudgement


class ToldRemoval(Told):
    """What the history of the revision knows and the revision no longer has."""

    reference: str
    introduced: ToldIntroduction | None


class ToldEvent(Told):
    """A signed event of the ledger. It is sound when nothing is wrong with it, its signature included.

    `current` tells whether its version is in that stage by this very event.
    """

    model: str
    action: str
    stage: str
    origin: str | None
    tag: str
    oid: ObjectId
    commit: str
    date: str
    digest: str | None
    reason: str
    signer: ToldSignature | None
    sound: bool
    current: bool


class ToldMarks(Told):
    """What names content, as far as it is said."""

    digest: str | None = None
    content_hash: str | None = None
    sha256: str | None = None


class ToldEdge(Told):
    """One thing went into another. `matches` is null where nothing was claimed, or nothing can be known of it."""

    source: str
    target: str
    relation: Literal["input", "prompt", "code", "output", "dataset", "parent", "use", "stage"]
    claimed: ToldMarks
    actual: ToldMarks
    matches: bool | None


class ToldFinding(Told):
    """Something wrong: the rule, where, and what to do."""

    rule: str
    severity: Severity
    path: str
    line: Count
    message: str
    fix: str
    anchor: str
    commit: str


class ToldCounts(Told):
    """How many artifacts of each kind the revision has."""

    datasets: Count
    models: Count
    prompts: Count
    runs: Count
    services: Count


class IndexDocument(Told):
    """The index of one revision: what `git strata index --json` writes. The same state gives the same bytes.

    `elsewhere` are versions that the revision lacks: on other branches and tags, or removed; of several contents under
    one name each.
    """

    schema_: Annotated[Literal["strata/index/v1"], Field(alias="schema")]
    revision: ObjectId | None
    shallow: bool
    counts: ToldCounts
    artifacts: list[ToldArtifact]
    elsewhere: list[ToldArtifact]
    removed: list[ToldRemoval]
    stages: list[ToldEvent]
    edges: list[ToldEdge]
    findings: list[ToldFinding]
    complaints: dict[str, list[ToldFinding]]
