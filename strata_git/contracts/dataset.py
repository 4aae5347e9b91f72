"""A dataset version's metadata.yaml (TFC-0004)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from strata_git.contracts.base import (
    Cited,
    Column,
    Contract,
    Day,
    Many,
    Name,
    OrBare,
    Record,
    SplitPath,
    Text,
    reference,
    reference_patterns,
    whole,
)

_PARENTS = ("dataset", "run", "model", "prompt")


class Parent(Cited):
    """What the data was made from: a dataset version, or the run that made it. A bare reference will do."""

    ref: Annotated[str, reference(*_PARENTS)]


def _spelled_out(value: Any) -> Any:
    return {"ref": value} if isinstance(value, str) else value


class Provenance(Contract):
    """Where the data comes from: a source outside, artifacts of this repository, or both."""

    source: Text
    retrieved: Day
    process: Text
    parents: Many[Annotated[Parent, BeforeValidator(_spelled_out), OrBare(whole(*reference_patterns(*_PARENTS)))]] = ()


class Split(Contract):
    """A part of the data: a file or directory (`.`: all payload), and what is in it. `rows` is null where unknown."""

    path: SplitPath
    files: int = Field(ge=1)
    rows: int | None = Field(default=None, ge=0)
    bytes: int = Field(ge=0)


class DatasetMetadata(Record):
    """What metadata.yaml of a dataset version says."""

    kind: Literal["dataset"]
    provenance: Provenance
    splits: dict[Name, Split] = Field(min_length=1)
    columns: Many[Column] | None = Field(default=None, alias="schema")
