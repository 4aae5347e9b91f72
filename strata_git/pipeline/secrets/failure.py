"""Why a secret could not be had, and what to do about it: said of the place where it is kept, never of its value."""

from __future__ import annotations

from strata_git.contracts.pipeline import AwsKey, AzureKey, DotenvKey, EnvironmentKey, Key
from strata_git.errors import printable
from strata_git.pipeline.errors import PipelineError

_AZURE = {
    "authentication": "Say who you are: az login; or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; or a managed identity.",  # noqa: E501 - one sentence of instructions
    "permission": "Give that identity the role 'Key Vault Secrets User' on {vault} (of its permissions only get is used), and see that the secret is enabled.",  # noqa: E501 - one sentence of instructions
    "not_found": "Check name and vault: az keyvault secret show --vault-name {vault} --name {name} --query id",
    "unavailable": "Check the vault's name ({vault}) and the connection.",
}
_SECRETS_MANAGER = {
    "permission": "Allow secretsmanager:GetSecretValue on {name}, and kms:Decrypt where it has a key of its own.",
    "not_found": "Check name and region: aws secretsmanager describe-secret --secret-id {name} --region {region}",
}
_SSM = {
    "permission": "Allow ssm:GetParameter on {name}, and kms:Decrypt where it has a key of its own.",
    "not_found": "Check name and region: aws ssm get-parameter --name {name} --region {region} --query Parameter.ARN",
}
_AWS = {
    "authentication": "Give the SDK credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role of the machine.",  # noqa: E501 - one sentence of instructions
    "unavailable": "Check the region ({region}), the endpoint and the connection.",
}


class SecretError(PipelineError):
    """A secret could not be had. `kind` says why (`pipeline.errors.KINDS`)."""

    page = "secrets"


def hint(key: Key, kind: str) -> str:
    """What to do about a secret kept there that failed in that way; "" where `PipelineError` says it as well."""
    if isinstance(key, EnvironmentKey):
        return f"Set it where git strata is started: export {printable(key.name)}=..."
    if isinstance(key, DotenvKey):
        return f"Write a line {printable(key.name)}=... into {printable(key.file)}, and keep that file out of Git."
    if isinstance(key, AzureKey):
        return _AZURE.get(kind, "").format(vault=printable(key.vault), name=printable(key.name))
    own = _SECRETS_MANAGER if key.source == "aws-secrets-manager" else _SSM
    return (own.get(kind) or _AWS.get(kind, "")).format(name=printable(key.name), region=printable(key.region or "..."))


def place(key: Key) -> str:
    """Where a secret is kept, in words."""
    name = printable(key.name)
    if isinstance(key, EnvironmentKey):
        return f"environment {name}"
    if isinstance(key, DotenvKey):
        return f"{printable(key.file)}: {name}"
    if isinstance(key, AzureKey):
        return f"Azure Key Vault {printable(key.vault)}: {name}"
    return _place_in_aws(key, name)


def _place_in_aws(key: AwsKey, name: str) -> str:
    service = "AWS Secrets Manager" if key.source == "aws-secrets-manager" else "AWS SSM"
    field = f", field {printable(key.field)}" if key.field else ""
    return f"{service} {printable(key.region)}: {name}{field}" if key.region else f"{service}: {name}{field}"
