"""What is to be run: an experiment file, and the resolved config.yaml of a run (TFC-0002)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from strata_git.contracts.base import Checked, Contract, Label, Name, reference_patterns, whole
from strata_git.contracts.layout import parse_reference


def _dataset_id(value: str) -> str:
    """Empty, a committed version (`iris@v1`), or data that a plugin brings along (`sklearn:iris`)."""
    scheme, colon, name = value.partition(":")
    if not value or (colon and scheme.isidentifier() and name.strip()):
        return value
    try:
        parsed = parse_reference(value, kind="dataset")
    except ValueError as error:
        raise ValueError(f"is no dataset: {error}") from None
    if parsed.version is None:
        raise ValueError(f"must name a version, such as {parsed.name}@v1")
    return value


DatasetId = Annotated[
    str,
    Checked(
        _dataset_id,
        whole("", r"[^:\s]+:[\s\S]*\S[\s\S]*", *reference_patterns("dataset")),
        "a committed version (iris@v1), data that a plugin brings along (sklearn:iris), or nothing",
    ),
]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""What every random generator we know accepts."""


class Experiment(Contract):
    """An experiment file. All but its plugin may be left out; `experiment` is the file's name then."""

    experiment: Name | None = None
    plugin: Label
    seed: Seed = 0
    dataset_id: DatasetId = ""
    data_spec: dict[str, JsonValue] = Field(default_factory=dict)
    params: dict[str, JsonValue] = Field(default_factory=dict)
    tags: dict[Label, str] = Field(default_factory=dict)


class RunConfig(Experiment):
    """config.yaml: the RunSpec with every override applied, enough to run it again. Nothing is left out."""

    experiment: Name
    seed: Seed
    dataset_id: DatasetId
    data_spec: dict[str, JsonValue]
    params: dict[str, JsonValue]
    tags: dict[Label, str]
