"""A run's record: run.yaml, metrics.json and system.json (TFC-0003)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, RootModel, model_validator

from strata_git.contracts.base import (
    Checked,
    Cited,
    ContentHash,
    Contract,
    InsidePath,
    Label,
    Many,
    Moment,
    Name,
    Number,
    ObjectId,
    RunId,
    Sha256,
    Text,
    reference,
)
from strata_git.errors import printable

SCHEMA = "strata/run/v1"

_LOGIN = re.compile(r"://[^/\s:@]*:[^/\s@]+@")

Count = Annotated[int, Field(ge=0)]


class Code(Contract):
    """The code a run came from: HEAD, whether tracked files differed from it, and the tree they made; `kept` is the
    tree of the commit under refs/strata/runs/, where the work tree was kept."""

    commit: ObjectId
    dirty: bool
    tree: ObjectId
    kept: ObjectId | None = None


class RunInput(Cited):
    """An artifact the run read, with the digest it had; `name` is what the experiment called it."""

    name: Label | None = None
    digest: ContentHash


class RunPrompt(Cited):
    """A prompt version the run used."""

    ref: Annotated[str, reference("prompt")]
    name: Label | None = None
    digest: ContentHash


class RunFile(Contract):
    """A committed file or directory, no artifact, that the run read: `digest` is that of the file's bytes, or of the
    list of the directory's files as CHECKSUMS.txt would have it."""

    name: Label | None = None
    path: InsidePath
    digest: ContentHash


def _uri(value: str) -> str:
    if not value.strip() or printable(value) != value or len(value) > 2000:
        raise ValueError("must be one line of 1 to 2000 printable characters")
    if _LOGIN.search(value):
        raise ValueError("must not carry a password")
    return value


class Source(Contract):
    """Something outside the repository that the run read, as far as it was told what it was."""

    uri: Annotated[
        str, Checked(_uri, rf"^(?!.*{_LOGIN.pattern})[\s\S]*\S", "where it was read from, without credentials", 2000)
    ]
    name: Label | None = None
    sha256: Sha256 | None = None
    bytes: Count | None = None
    etag: Label | None = None
    version: Label | None = None
    modified: Moment | None = None


class Export(Contract):
    """Rows that the run gave away: to which sink of strata.yaml, where that is, which part of the run, how many, and
    the digest of their canonical lines (TFC-0011 5.11)."""

    sink: Name
    uri: Annotated[
        str, Checked(_uri, rf"^(?!.*{_LOGIN.pattern})[\s\S]*\S", "where it was written to, without credentials", 2000)
    ]
    part: Label
    rows: Count
    digest: ContentHash


class Output(Contract):
    """A file the run made, below artifacts/."""

    path: InsidePath
    sha256: Sha256
    bytes: Count


class Usage(Contract):
    """What the run took: seconds by the clock, seconds of processor time, and the most memory one process held."""

    wall_s: Annotated[Number, Field(ge=0)]
    cpu_s: Annotated[Number, Field(ge=0)]
    peak_memory_bytes: Count | None = None


class Earlier(Contract):
    """A run whose unfinished work this one took up, with the digest its record has."""

    ref: Annotated[str, reference("run")]
    digest: ContentHash


class Cost(Contract):
    """What the run cost, where someone charged for it."""

    amount: Annotated[Number, Field(ge=0)]
    currency: Label


_ENDS: list[JsonValue] = [
    {
        "if": {"properties": {"status": {"enum": ["succeeded", "failed", "interrupted"]}}},
        "then": {"properties": {"finished": {"type": "string"}}},
    },
    {
        "if": {"properties": {"status": {"const": "succeeded"}}},
        "then": {"properties": {"error": {"type": "null"}}},
    },
]
"""What `_ends_as_it_says` asks, as far as a JSON Schema can say it."""


class OfSweep(Contract):
    """The sweep that a run was a trial of, and the trial's number."""

    run: RunId
    trial: Count


class RunRecord(Contract):
    """run.yaml: what became of a run, and all that went in and came out."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra={"allOf": _ENDS})

    schema_id: Literal["strata/run/v1"] = Field(alias="schema")
    kind: Literal["run"]
    id: RunId
    status: Literal["succeeded", "failed", "interrupted", "killed"]
    started: Moment
    finished: Moment | None
    plugin: Label
    experiment: Name
    seed: Annotated[int, Field(ge=0)] | None
    code: Code
    inputs: Many[RunInput]
    prompts: Many[RunPrompt] = ()
    files: Many[RunFile] = ()
    sources: Many[Source] = ()
    exports: Many[Export] = ()
    outputs: Many[Output]
    tokens: dict[Name, Count] | None = None
    counts: dict[Name, Count] | None = None
    cost: Cost | None = None
    error: Text | None = None
    usage: Usage | None = None
    resumes: Earlier | None = None
    reproduces: Earlier | None = None
    sweep: OfSweep | None = None
    user: Label | None = None

    @model_validator(mode="after")
    def _ends_as_it_says(self) -> Self:
        if self.finished is None and self.status != "killed":
            raise ValueError(f"finished: must be said of a run that {self.status}")
        if self.error is not None and self.status == "succeeded":
            raise ValueError("error: must be null in a run that succeeded")
        if self.finished is not None and self.finished.rstrip("Z") < self.started.rstrip("Z"):
            raise ValueError("finished: must not be before started")
        return self


class RunMetrics(RootModel[dict[Label, Number]]):
    """metrics.json: a flat map from names to finite numbers; empty when nothing was measured."""

    model_config = ConfigDict(strict=True, frozen=True)


class System(Contract):
    """system.json: where the run took place. Never an environment variable, a user or a host name."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    schema_id: Literal["strata/system/v1"] = Field(alias="schema")
    platform: Label
    python: Label
    packages: dict[Label, Label]
    code: Code
    seed: Annotated[int, Field(ge=0)] | None
