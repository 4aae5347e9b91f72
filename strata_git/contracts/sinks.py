"""Where answers go (TFC-0011 section 5): what each type of sink in strata.yaml says."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from strata_git.contracts.base import Contract, Label, Many, Text
from strata_git.contracts.keys import Address, Bucket, KeyName, Staging


class _Rows(Contract):
    """What sinks of files share: the form of a part, how it is packed, and how parts are laid out.

    `formulas`: whether text in a CSV file that a spreadsheet would compute gets an apostrophe in front (`guard`).
    """

    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    compression: Literal["none", "gzip", "zstd"] = "none"
    partition_by: Many[Label] = ()
    rows_per_file: int = Field(default=50_000, ge=1, le=1_000_000)
    formulas: Literal["guard", "keep"] = "guard"


class FileSink(_Rows):
    """Files below a directory, `<path>/<run id>/`."""

    type: Literal["files"]
    path: Text


class S3Sink(Bucket, _Rows):
    """Objects of a bucket, `<prefix>/<run id>/`."""

    type: Literal["s3"]


class ExcelSink(Contract):
    """A sheet of a workbook in SharePoint; rows with equal `key_fields` are replaced, without such all are added."""

    type: Literal["sharepoint-excel"]
    site: Label
    drive: Label = "Documents"
    path: Text
    sheet: Label = "Sheet1"
    tenant: Label | None = None
    client: Label | None = None
    key: KeyName | None = None
    key_fields: Many[Label] = ()
    endpoint: Address | None = None
    authority: Address | None = None


class DynamoSink(Contract):
    """A DynamoDB table; items with equal keys are replaced. `mode` `transact`: a hundred at once, or none of them."""

    type: Literal["dynamodb"]
    table: Label
    key_fields: Many[Label] = Field(min_length=1)
    mode: Literal["batch", "transact"] = "batch"
    region: Label | None = None
    endpoint: Address | None = None
    key: KeyName | None = None
    secret: KeyName | None = None
    token: KeyName | None = None


class WarehouseSink(Contract):
    """A table of a data base. `mode` `merge` replaces rows with equal `key_fields`, by way of a staging table.

    For duckdb `database` is a file. Redshift reads what is put below `staging` with the rights of `iam_role`.
    """

    type: Literal["redshift", "postgres", "duckdb"]
    database: Label
    table: Label
    mode: Literal["append", "merge"] = "merge"
    key_fields: Many[Label] = ()
    host: Label | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    user: Label | None = None
    key: KeyName | None = None
    staging: Staging | None = None
    iam_role: Label | None = None
    kms_key: Label | None = None
    region: Label | None = None
    endpoint: Address | None = None

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
    region: Label | None = None
    endpoint: Address | None = None
    key: KeyName | None = None
    secret: KeyName | None = None
    token: KeyName | None = None

    @model_validator(mode="after")
    def _can_upsert(self) -> Self:
        if self.mode == "upsert" and not self.key_fields:
            raise ValueError("mode upsert needs key_fields")
        return self


Sink = Annotated[FileSink | S3Sink | ExcelSink | DynamoSink | WarehouseSink | DeltaSink, Field(discriminator="type")]
