"""A run's record: run.yaml, metrics.json and system.json (TFC-0003)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, RootModel, model_validator

from strata_git.contracts.base import (
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

SCHEMA = "strata/run/v1"
SYSTEM_SCHEMA = "strata/system/v1"

Count = Annotated[int, Field(ge=0)]


class Code(Contract):
    """The code a run came from: HEAD, whether tracked files differed from it, and the tree they made."""

    commit: ObjectId
    dirty: bool
    tree: ObjectId


class RunInput(Cited):
    """An artifact the run read, with the digest it had."""

    digest: ContentHash


class RunPrompt(Cited):
    """A prompt version the run used."""

    ref: Annotated[str, reference("prompt")]
    digest: ContentHash


class Output(Contract):
    """A file the run made, below artifacts/."""

    path: InsidePath
    sha256: Sha256
    bytes: Count


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
    outputs: Many[Output]
    tokens: dict[Name, Count] | None = None
    cost: Cost | None = None
    error: Text | None = None

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
