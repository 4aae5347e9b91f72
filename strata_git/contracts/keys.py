"""Secrets in strata.yaml (TFC-0011 section 5.2): names, where each is kept, and how other sections name it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from strata_git.contracts import layout
from strata_git.contracts.base import Checked, Contract, Label, Text, whole

SECRET = re.compile(rf"\$\{{secret:({layout.NAME.pattern})\}}")
"""`${secret:name}`: the secret that the section keys calls so, put in when the text is used."""


def _key_name(value: str) -> str:
    named = SECRET.fullmatch(value)
    name = named[1] if named else value
    if not layout.NAME.fullmatch(name):
        raise ValueError("must be the name of an entry of the section keys")
    return name


KeyName = Annotated[
    str, Checked(_key_name, whole(layout.NAME.pattern, SECRET.pattern), "the name of an entry of the section keys")
]
"""A secret by its name in the section keys: `azure`, or `${secret:azure}`."""


def _address(value: str) -> str:
    if re.fullmatch(r"https?://[^\s/@]+(?:/\S*)?", value) is None:
        raise ValueError("must be an address such as https://vault.example, without a user")
    return value


Address = Annotated[Label, Checked(_address, r"^https?://[^\s/@]+(?:/\S*)?$")]


def _staging(value: str) -> str:
    if re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+/[^\s']+", value) is None:
        raise ValueError("must be a place in a bucket such as s3://bucket/prefix/")
    return value


Staging = Annotated[Label, Checked(_staging, r"^s3://[a-z0-9][a-z0-9.-]+/[^\s']+$")]


class EnvironmentKey(Contract):
    """A secret in an environment variable."""

    source: Literal["env"] = Field(alias="from")
    name: Label


class DotenvKey(Contract):
    """A secret in a file of NAME=VALUE lines that Git ignores."""

    source: Literal["dotenv"] = Field(alias="from")
    name: Label
    file: Text = ".env"


def _vault(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z0-9-]{1,127}", value) else _address(value)


class AzureKey(Contract):
    """A secret in an Azure Key Vault: a vault's name, or its address where it is none of the public cloud."""

    source: Literal["azure-key-vault"] = Field(alias="from")
    name: Label
    vault: Annotated[Label, Checked(_vault, r"^(?:[A-Za-z0-9-]{1,127}|https?://[^\s/@]+(?:/\S*)?)$")]
    version: Label | None = None


class AwsKey(Contract):
    """A secret in AWS Secrets Manager or in the SSM parameter store (`field`: of a value that is JSON).

    `version` is a version's id or stage (Secrets Manager), or a number or label (SSM); `role` one that is assumed
    first; `endpoint` another address than Amazon's own.
    """

    source: Literal["aws-secrets-manager", "aws-ssm"] = Field(alias="from")
    name: Label
    region: Label | None = None
    field: Label | None = None
    version: Label | None = None
    role: Label | None = None
    endpoint: Address | None = None


Key = Annotated[EnvironmentKey | DotenvKey | AzureKey | AwsKey, Field(discriminator="source")]


class Bucket(Contract):
    """A bucket of S3's protocol, and who asks it; without `key` and `secret` the SDK finds credentials by itself."""

    bucket: Label
    prefix: str = ""
    region: Label | None = None
    endpoint: Label | None = None
    kms_key: Label | None = None
    key: KeyName | None = None
    secret: KeyName | None = None
    token: KeyName | None = None
