"""What strata.yaml says for pipelines (TFC-0011 section 5): where documents come from, who answers, where answers go.

No section has a place for a secret: `keys` gives names to secrets and says where each is kept, and everything else
refers to those names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from strata_git.contracts.base import Contract, Label, Many, Name, Number, OrBare, Text
from strata_git.contracts.chain import Chunking, Patterns, Retry


class EnvironmentKey(Contract):
    """A secret in an environment variable."""

    source: Literal["env"] = Field(alias="from")
    name: Label


class DotenvKey(Contract):
    """A secret in a file of NAME=VALUE lines that Git ignores."""

    source: Literal["dotenv"] = Field(alias="from")
    name: Label
    file: Text = ".env"


class AzureKey(Contract):
    """A secret in an Azure Key Vault."""

    source: Literal["azure-key-vault"] = Field(alias="from")
    name: Label
    vault: Label


class AwsKey(Contract):
    """A secret in AWS Secrets Manager (`field`: of a JSON value) or in the SSM parameter store."""

    source: Literal["aws-secrets-manager", "aws-ssm"] = Field(alias="from")
    name: Label
    region: Label | None = None
    field: Label | None = None


Key = Annotated[EnvironmentKey | DotenvKey | AzureKey | AwsKey, Field(discriminator="source")]


class LocalConnector(Contract):
    """Files below a directory, relative to the workspace."""

    type: Literal["local"]
    root: Text
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class S3Connector(Contract):
    """Objects of a bucket."""

    type: Literal["s3"]
    bucket: Label
    prefix: str = ""
    region: Label | None = None
    endpoint: Label | None = None
    kms_key: Label | None = None
    key: Name | None = None
    secret: Name | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class AzureConnector(Contract):
    """Blobs of a container."""

    type: Literal["azure-blob"]
    account: Label
    container: Label
    prefix: str = ""
    key: Name | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class SharePointConnector(Contract):
    """Files of a SharePoint drive."""

    type: Literal["sharepoint"]
    site: Label
    drive: Label = "Documents"
    path: str = ""
    tenant: Label | None = None
    client: Label | None = None
    key: Name | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


Connector = Annotated[LocalConnector | S3Connector | AzureConnector | SharePointConnector, Field(discriminator="type")]


class Inference(Contract):
    """Who answers: a provider, its model, and how hard it may be asked.

    `offline` needs no network: `echo` gives the prompt back, for trying a chain out. `price_as` names the model that
    a deployment of another name costs as much as.
    """

    provider: Literal["offline", "openai", "azure-openai", "bedrock"]
    model: Label
    endpoint: Label | None = None
    deployment: Label | None = None
    api_version: Label | None = None
    region: Label | None = None
    key: Name | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    timeout_s: Annotated[Number, Field(gt=0)] = 60
    retry: Retry = Retry()
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    price_as: Label | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.provider == "azure-openai" and self.endpoint is None:
            raise ValueError("an azure-openai provider needs its endpoint")
        if self.provider != "offline" and self.provider != "bedrock" and self.key is None:
            raise ValueError(f"a provider '{self.provider}' needs a key (a name of the section keys)")
        return self


class _Rows(Contract):
    """What sinks of files share: the form of a part, how it is packed, and how parts are laid out."""

    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    compression: Literal["none", "gzip", "zstd"] = "none"
    partition_by: Many[Label] = ()


class FileSink(_Rows):
    """Files below a directory, `<path>/<run id>/`."""

    type: Literal["files"]
    path: Text


class S3Sink(_Rows):
    """Objects of a bucket, `<prefix>/<run id>/`."""

    type: Literal["s3"]
    bucket: Label
    prefix: str = ""
    region: Label | None = None
    endpoint: Label | None = None
    kms_key: Label | None = None
    key: Name | None = None
    secret: Name | None = None


class ExcelSink(Contract):
    """A sheet of a workbook in SharePoint; rows with equal `key_fields` are replaced."""

    type: Literal["sharepoint-excel"]
    site: Label
    drive: Label = "Documents"
    path: Text
    sheet: Label = "Sheet1"
    tenant: Label | None = None
    client: Label | None = None
    key: Name | None = None
    key_fields: Many[Label] = ()


class DynamoSink(Contract):
    """A DynamoDB table; items with equal keys are replaced."""

    type: Literal["dynamodb"]
    table: Label
    key_fields: Many[Label] = Field(min_length=1)
    region: Label | None = None
    endpoint: Label | None = None


class WarehouseSink(Contract):
    """A table of a data base. `mode` `merge` replaces rows with equal `key_fields`, by way of a staging table."""

    type: Literal["redshift", "postgres", "duckdb"]
    database: Label
    table: Label
    mode: Literal["append", "merge"] = "merge"
    key_fields: Many[Label] = ()
    host: Label | None = None
    user: Label | None = None
    key: Name | None = None
    staging: Label | None = None

    @model_validator(mode="after")
    def _can_merge(self) -> Self:
        if self.mode == "merge" and not self.key_fields:
            raise ValueError("mode merge needs key_fields")
        return self


class DeltaSink(Contract):
    """A Delta table: a directory, a bucket's prefix, or a lakehouse of Microsoft Fabric."""

    type: Literal["delta", "fabric-delta"]
    uri: Text
    mode: Literal["append", "upsert"] = "append"
    key_fields: Many[Label] = ()
    partition_by: Many[Label] = ()
    key: Name | None = None

    @model_validator(mode="after")
    def _can_upsert(self) -> Self:
        if self.mode == "upsert" and not self.key_fields:
            raise ValueError("mode upsert needs key_fields")
        return self


Sink = Annotated[FileSink | S3Sink | ExcelSink | DynamoSink | WarehouseSink | DeltaSink, Field(discriminator="type")]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Ocr(Contract):
    """Whether text is read out of images, by which program, in which languages (its own codes)."""

    engine: Literal["none", "tesseract", "rapidocr"] = "none"
    languages: Annotated[Many[Label], BeforeValidator(_listed), OrBare(r"\S")] = ("eng",)


class Processing(Contract):
    """How documents are read where a chain does not say otherwise."""

    chunking: Chunking = Chunking()
    ocr: Ocr = Ocr()
    max_bytes: int = Field(default=64 << 20, ge=1)


class Observability(Contract):
    """How a pipeline tells what it does. Nothing leaves the machine unless `otlp` names where to."""

    log_format: Literal["human", "json"] = "human"
    otlp: Label | None = None
    prompts_in_traces: bool = False


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
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _names_its_keys(self) -> Self:
        for section in ("connectors", "inference", "sinks"):
            for name, entry in getattr(self, section).items():
                for field, key in _keys_of(entry):
                    if key not in self.keys:
                        raise ValueError(f"{section}.{name}.{field}: the section keys has no '{key}'")
        return self


SECTIONS = tuple(Pipelines.model_fields)
"""The names of those sections."""


def _keys_of(entry: BaseModel) -> Iterator[tuple[str, str]]:
    for field in ("key", "secret"):
        named = getattr(entry, field, None)
        if named is not None:
            yield field, named
