"""What strata.yaml says for pipelines (TFC-0011 section 5): where documents come from, who answers, where answers go.

No section has a place for a secret: `keys` gives names to secrets and says where each is kept, and everything else
refers to those names: by a field such as `key`, or by `${secret:name}` within a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from strata_git.contracts import layout
from strata_git.contracts.base import Contract, Label, Many, Name, Number, OrBare, Text
from strata_git.contracts.chain import Chunking, Retry
from strata_git.contracts.connectors import (
    AzureConnector,
    Connector,
    FsspecConnector,
    LocalConnector,
    S3Connector,
    SharePointConnector,
    SqlConnector,
    UnloadConnector,
)
from strata_git.contracts.keys import SECRET, Address, AwsKey, AzureKey, DotenvKey, EnvironmentKey, Key, KeyName
from strata_git.contracts.sinks import DeltaSink, DynamoSink, ExcelSink, FileSink, S3Sink, Sink, WarehouseSink

__all__ = [
    "SECRET",
    "SECTIONS",
    "Address",
    "AwsKey",
    "AzureConnector",
    "AzureKey",
    "Connector",
    "DeltaSink",
    "DotenvKey",
    "DynamoSink",
    "EnvironmentKey",
    "ExcelSink",
    "Execution",
    "FileSink",
    "FsspecConnector",
    "Inference",
    "Key",
    "KeyName",
    "LocalConnector",
    "Observability",
    "Ocr",
    "Pipelines",
    "Processing",
    "Retention",
    "S3Connector",
    "S3Sink",
    "SharePointConnector",
    "Sink",
    "SqlConnector",
    "UnloadConnector",
    "WarehouseSink",
    "undeclared",
]
"""All that strata.yaml may say for pipelines; secrets, connectors and sinks have modules of their own."""

_SECRET_LIKE = re.compile(r"\$\{secret\b[^}]*\}?")


class Inference(Contract):
    """Who answers: a provider, its model, and how hard it may be asked.

    `offline` needs no network: `echo` gives the prompt back, for trying a chain out. `recorded` answers from a file of
    answers that were had before, which `model` names. `price_as` names the model that a deployment of another name
    costs as much as, `concurrency` how many calls are made at once. A local server of OpenAI's protocol needs an
    endpoint and no key.
    """

    provider: Literal["offline", "recorded", "openai", "azure-openai", "bedrock"]
    model: Label
    endpoint: Label | None = None
    deployment: Label | None = None
    api_version: Label | None = None
    region: Label | None = None
    key: KeyName | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    timeout_s: Annotated[Number, Field(gt=0)] = 60
    retry: Retry = Retry()
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(default=None, ge=1, le=1024)
    price_as: Label | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.provider == "azure-openai" and self.endpoint is None:
            raise ValueError("an azure-openai provider needs its endpoint")
        if self.provider == "openai" and self.key is None and self.endpoint is None:
            raise ValueError("an openai provider needs a key (a name of the section keys), or another endpoint")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Ocr(Contract):
    """Whether text is read out of images, by which program, in which languages (its own codes)."""

    engine: Literal["none", "tesseract", "rapidocr"] = "none"
    languages: Annotated[Many[Label], BeforeValidator(_listed), OrBare(r"\S")] = ("eng",)


class Processing(Contract):
    """How documents are read where a chain does not say otherwise.

    A document that has more than `max_bytes`, takes longer than `timeout_s` or more memory than `memory_mb` is left out
    and named in the run's report.
    """

    chunking: Chunking = Chunking()
    ocr: Ocr = Ocr()
    max_bytes: int = Field(default=64 << 20, ge=1)
    timeout_s: Annotated[Number, Field(gt=0, le=86_400)] = 120
    memory_mb: int = Field(default=1024, ge=64)


class Observability(Contract):
    """How a pipeline tells what it does. Nothing leaves the machine unless `otlp` names where to (OTLP over HTTP).

    `otlp_headers` go with every export; `service` is the name under which spans are told.
    """

    log_format: Literal["human", "json"] = "human"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp: Address | None = None
    otlp_headers: dict[Label, Label] = Field(default_factory=dict)
    service: Label = "git-strata"
    prompts_in_traces: bool = False


class Execution(Contract):
    """Where and how long work may go on: what a platform sets bounds to.

    `scratch` is the only directory that is written to beside the results (the system's own when left out), `jobs` how
    many processes read documents, `engine` where these are (`none`: here; a Dask or Ray cluster begins on this machine
    unless `scheduler` is the address of one), `concurrency` the most calls at once, whatever a chain asks for.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True,
        json_schema_extra={
            "if": {"required": ["scheduler"]},
            "then": {"required": ["engine"], "properties": {"engine": {"enum": ["dask", "ray"]}}},
        },
    )  # fmt: skip

    scratch: Text | None = None
    time_limit_s: Annotated[Number, Field(gt=0)] | None = None
    jobs: int | None = Field(default=None, ge=1, le=1024)
    engine: Literal["none", "loky", "dask", "ray"] = "none"
    scheduler: Text | None = None
    concurrency: int | None = Field(default=None, ge=1, le=1024)

    @model_validator(mode="after")
    def _has_an_engine(self) -> Self:
        if self.scheduler is not None and self.engine not in ("dask", "ray"):
            raise ValueError("scheduler goes with engine dask or ray")
        return self


class Retention(Contract):
    """What `git strata runs prune` may take away: records no model, receipt or service cites, older than so."""

    keep_days: int | None = Field(default=None, ge=0)
    keep_runs: int | None = Field(default=None, ge=0)


class Pipelines(Contract):
    """The sections of strata.yaml that pipelines read; all may be left out."""

    keys: dict[Name, Key] = Field(default_factory=dict)
    connectors: dict[Name, Connector] = Field(default_factory=dict)
    inference: dict[Name, Inference] = Field(default_factory=dict)
    sinks: dict[Name, Sink] = Field(default_factory=dict)
    processing: Processing = Processing()
    observability: Observability = Observability()
    execution: Execution = Execution()
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _names_its_keys(self) -> Self:
        for path, message in undeclared(self.model_dump(by_alias=True, exclude_defaults=True)):
            raise ValueError(f"{'.'.join(path)}: {message}")
        return self


SECTIONS = tuple(Pipelines.model_fields)
"""The names of those sections."""
_USING = ("connectors", "inference", "sinks", "observability")


def undeclared(sections: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where plain sections name a secret that their `keys` do not, and what is to be said of it.

    Takes sections that break their contract elsewhere, too.
    """
    declared = sections.get("keys")
    known = set(declared) if isinstance(declared, Mapping) else set()
    for section in _USING:
        for path, text in _texts((section,), sections.get(section)):
            named = [found[1] for found in SECRET.finditer(text)]
            own = path[-1] in ("key", "secret", "token") and path[2:3] != ("options",)
            if not named and own and section != "observability" and layout.NAME.fullmatch(text):
                named = [text]
            for name in named:
                if name not in known:
                    yield path, f"the section keys has no '{name}'"
            if _SECRET_LIKE.search(SECRET.sub("", text)):
                yield path, "a secret is named ${secret:name}"


def _texts(path: tuple[str, ...], value: object) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, part in inner:
        yield from _texts((*path, str(name)), part)
