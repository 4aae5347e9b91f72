"""Secrets in AWS Secrets Manager and in the SSM parameter store. Of all permissions only getting that one is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strata_git.contracts.pipeline import AwsKey
from strata_git.pipeline.aws import client, translated
from strata_git.pipeline.secrets.failure import SecretError, place

SESSION_S = 900
"""How long an assumed role is held: the least that STS gives."""
_VERSION_ID = re.compile(r"[A-Za-z0-9-]{32,64}")


@dataclass(frozen=True, slots=True)
class _Account:
    """Whose credentials, and where; the names of credentials are keys of `_Assumed`."""

    region: str | None
    endpoint: str | None
    key: str | None = None
    secret: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """Credentials that were had just now."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> str:
        return self.values[name]


def get(key: AwsKey, environ: Mapping[str, str]) -> str:
    """The secret's text (of a JSON object the whole of it). Raises SecretError."""
    with translated(SecretError, place(key)):
        made = _client(key, environ)
        return _from_secrets_manager(made, key) if key.source == "aws-secrets-manager" else _from_ssm(made, key)


def _client(key: AwsKey, environ: Mapping[str, str]) -> Any:
    service = "secretsmanager" if key.source == "aws-secrets-manager" else "ssm"
    if key.role is None:
        return client(service, _Account(key.region, key.endpoint), _Given(), environ)
    sts = client("sts", _Account(key.region, None), _Given(), environ)
    answer = sts.assume_role(RoleArn=key.role, RoleSessionName="git-strata", DurationSeconds=SESSION_S)
    had = answer["Credentials"]
    given = {"key": had["AccessKeyId"], "secret": had["SecretAccessKey"], "token": had["SessionToken"]}
    return client(service, _Account(key.region, key.endpoint, "key", "secret", "token"), _Given(given), environ)


def _from_secrets_manager(made: Any, key: AwsKey) -> str:
    version = {}
    if key.version is not None:
        version = {"VersionId" if _VERSION_ID.fullmatch(key.version) else "VersionStage": key.version}
    answer = made.get_secret_value(SecretId=key.name, **version)
    if "SecretString" in answer:
        return str(answer["SecretString"])
    try:
        return bytes(answer["SecretBinary"]).decode()
    except UnicodeDecodeError:
        raise SecretError(f"{place(key)}: holds bytes that are no text", kind="invalid") from None


def _from_ssm(made: Any, key: AwsKey) -> str:
    name = key.name if key.version is None else f"{key.name}:{key.version}"
    return str(made.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
