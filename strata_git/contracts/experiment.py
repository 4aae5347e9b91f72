"""What is to be run: an experiment file, and the resolved config.yaml of a run (TFC-0002)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, JsonValue, model_validator

from strata_git.contracts import layout, words
from strata_git.contracts.base import Checked, Contract, Label, Name, Number, reference_patterns, whole
from strata_git.contracts.layout import parse_reference
from strata_git.contracts.sweep import Sweep, missing_path


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

FILE = "file:"
"""Begins the reference of a committed file or directory of the work tree that is no artifact."""
_STAGED = rf"(?:models/)?{layout.NAME.pattern}@(?:{'|'.join(layout.STAGES)})"
_INPUT_FILE = r"file:(?!\.\.?(?:/|$))[^/\\]+(?:/(?!\.\.?(?:/|$))[^/\\]+)*/?"


def _input(value: str) -> str:
    """A committed artifact in an exact version or, of a model, at a stage; or `file:` and a path."""
    if value.startswith(FILE):
        return FILE + words.path_inside(value.removeprefix(FILE).removesuffix("/"))
    try:
        parsed = layout.parse_reference(value)
    except ValueError as error:
        raise ValueError(f"is no input: {error}") from None
    if parsed.version is None and parsed.stage is None and parsed.kind not in ("run", "service"):
        raise ValueError(f"must name a version, such as {parsed.name}@v1")
    return value


def _exact_input(value: str) -> str:
    """The same without stages, which move."""
    if not value.startswith(FILE) and layout.parse_reference(value).stage is not None:
        raise ValueError("must name a version; what a stage stands for changes")
    return value


_NAMED = reference_patterns("dataset", "model", "prompt", "run", "service")
_BARE = rf"{layout.NAME.pattern}[@#]{layout.VERSION.pattern}"
InputReference = Annotated[
    str,
    Checked(
        _input,
        whole(*_NAMED, _BARE, _STAGED, _INPUT_FILE),
        "a committed artifact (iris@v1, models/forest@v2, summarise#v1, forest@production, run-2026-11-21-001), or "
        "file:PATH",
    ),
]
ExactInput = Annotated[InputReference, Checked(_exact_input)]


class Resources(Contract):
    """What a run may take; what is left out is not bounded."""

    cpus: Annotated[int, Field(ge=1, le=4096)] | None = None
    gpus: Annotated[int, Field(ge=0, le=1024)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    time_limit_s: Annotated[Number, Field(gt=0)] | None = None


class Experiment(Contract):
    """An experiment file. All but its plugin may be left out; `experiment` is the file's name then."""

    experiment: Name | None = None
    plugin: Label
    seed: Seed = 0
    dataset_id: DatasetId = ""
    data_spec: dict[str, JsonValue] = Field(default_factory=dict)
    params: dict[str, JsonValue] = Field(default_factory=dict)
    tags: dict[Label, str] = Field(default_factory=dict)
    inputs: dict[Name, InputReference] = Field(default_factory=dict)
    resources: Resources = Resources()
    sweep: Sweep | None = None

    @model_validator(mode="after")
    def _leaves_dataset_alone(self) -> Self:
        if self.dataset_id and "dataset" in self.inputs:
            raise ValueError("inputs.dataset: is what dataset_id names; give this input another name")
        return self

    @model_validator(mode="after")
    def _has_what_is_swept(self) -> Self:
        sections = {"params": self.params, "data_spec": self.data_spec}
        if self.sweep is not None and (path := missing_path(self.sweep, sections)):
            raise ValueError(f"sweep.parameters.{path}: the experiment has no {path}; write what a single run takes")
        return self


class RunConfig(Experiment):
    """config.yaml: the RunSpec with every override applied, enough to run it again. Nothing is left out but what
    records made before there were `inputs` and `resources` do not have."""

    experiment: Name
    seed: Seed
    dataset_id: DatasetId
    data_spec: dict[str, JsonValue]
    params: dict[str, JsonValue]
    tags: dict[Label, str]
    inputs: dict[Name, ExactInput] = Field(default_factory=dict)
