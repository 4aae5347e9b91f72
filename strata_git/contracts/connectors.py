"""Where documents come from (TFC-0011 section 5): what each type of connector in strata.yaml says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from strata_git.contracts.base import Contract, Label, Text
from strata_git.contracts.chain import Patterns
from strata_git.contracts.keys import Address, Bucket, KeyName, Staging


class LocalConnector(Contract):
    """Files below a directory, relative to the workspace."""

    type: Literal["local"]
    root: Text
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class S3Connector(Bucket):
    """Objects of a bucket."""

    type: Literal["s3"]
    anonymous: bool = False
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class AzureConnector(Contract):
    """Blobs of a container. `key` is an account key or a SAS token; without it the machine's own identity is used."""

    type: Literal["azure-blob"]
    account: Label
    container: Label
    prefix: str = ""
    endpoint: Address | None = None
    key: KeyName | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class SharePointConnector(Contract):
    """Files of a SharePoint drive, by Microsoft Graph; `key` is the client's secret, or its certificate with its key.

    `endpoint` and `authority` are Graph and the login service of another cloud than the world-wide one.
    """

    type: Literal["sharepoint"]
    site: Label
    drive: Label = "Documents"
    path: str = ""
    tenant: Label | None = None
    client: Label | None = None
    key: KeyName | None = None
    endpoint: Address | None = None
    authority: Address | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class FsspecConnector(Contract):
    """Files below a URL that fsspec opens, with the options of its file system."""

    type: Literal["fsspec"]
    url: Label
    options: dict[Label, JsonValue] = Field(default_factory=dict)
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class SqlConnector(Contract):
    """The rows of a query, as files of at most `rows_per_file` rows; `key` is the password that the URL leaves out."""

    type: Literal["sql"]
    url: Label
    query: Text
    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    rows_per_file: int = Field(default=10_000, ge=1, le=1_000_000)
    key: KeyName | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


class UnloadConnector(Contract):
    """The rows of a query in Redshift, which unloads them as Parquet below `staging` (`s3://bucket/prefix/`)."""

    type: Literal["redshift-unload"]
    host: Label
    port: int = Field(default=5439, ge=1, le=65535)
    database: Label
    user: Label
    key: KeyName
    query: Text
    staging: Staging
    iam_role: Label
    kms_key: Label | None = None
    region: Label | None = None
    endpoint: Address | None = None
    include: Patterns = ("**/*",)
    exclude: Patterns = ()


Connector = Annotated[
    LocalConnector
    | S3Connector
    | AzureConnector
    | SharePointConnector
    | FsspecConnector
    | SqlConnector
    | UnloadConnector,
    Field(discriminator="type"),
]
