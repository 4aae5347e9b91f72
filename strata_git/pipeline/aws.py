"""Clients of Amazon's services: who asks, what goes wrong, in our words.

Credentials are those that strata.yaml names, or else what the SDK finds by itself (variables, profiles, roles). The SDK
makes one attempt: `backoff` decides about more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from strata_git.errors import printable
from strata_git.pipeline.errors import Kind, PipelineError, kind_of, told

CONNECT_S = 10
READ_S = 60
_AUTHENTICATION = frozenset({
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidSecurity", "InvalidToken", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
_PERMISSION = frozenset({
    "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "KMS.AccessDeniedException", "UnauthorizedOperation",
})  # fmt: skip
_THROTTLED = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "Throttling", "ThrottledException", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
_NOT_FOUND = frozenset({
    "NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NotFound", "ParameterNotFound", "ParameterVersionNotFound",
    "ResourceNotFoundException",
})  # fmt: skip
_CONFLICT = frozenset({"ConditionalCheckFailedException", "PreconditionFailed"})
_PASSING = {
    "RequestTimeout": "timeout", "InternalError": "unavailable", "ServiceUnavailable": "unavailable",
    "ConditionalRequestConflict": "unavailable",  # another put of that key is under way: who asks again is told
}  # fmt: skip


class Account(Protocol):
    """Where the credentials in a section of strata.yaml stand; each is a name of the section keys."""

    @property
    def region(self) -> str | None: ...
    @property
    def endpoint(self) -> str | None: ...


class SecretSource(Protocol):
    """Whence values of secrets are had."""

    def get(self, name: str) -> str:
        """The value."""


def client(service: str, account: Account, secrets: SecretSource, environ: Mapping[str, str]) -> Any:
    """A client of `service` as that section of strata.yaml says; it keeps to one attempt, with time limits.

    Raises StrataError when a secret cannot be had. Nothing is asked of the network.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    key, secret, token = (getattr(account, field, None) for field in ("key", "secret", "token"))
    unsigned = {"signature_version": UNSIGNED} if getattr(account, "anonymous", False) else {}
    own = {"s3": {"addressing_style": "path"}} if service == "s3" and account.endpoint else {}
    config = Config(
        connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1}, max_pool_connections=32,
        user_agent_extra="git-strata", **unsigned, **own,
    )  # fmt: skip
    region = account.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    credentials = {}
    if key and secret:
        credentials = {"aws_access_key_id": secrets.get(key), "aws_secret_access_key": secrets.get(secret)}
        credentials |= {"aws_session_token": secrets.get(token)} if token else {}
    session = boto3.session.Session(region_name=region or session_region() or "us-east-1", **credentials)
    return session.client(service, endpoint_url=account.endpoint, config=config)


def session_region() -> str | None:
    """The region that the SDK's own configuration names."""
    import boto3

    region: str | None = boto3.session.Session().region_name
    return region


@contextmanager
def translated(failure: type[PipelineError], what: str) -> Iterator[None]:
    """Errors of the SDK as `failure`, `what` being what was tried, such as "docs: s3://bucket/key"."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as Unconnected
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _answered(failure, what, error.response) from None
    except (HTTPClientError, IncompleteReadError, Unconnected, HTTPError, OSError) as error:
        late = "timed out" in str(error).lower() or "timeout" in type(error).__name__.lower()
        kind: Kind = "timeout" if late else "unavailable"
        raise failure(f"{what}: {told(error)}.", kind=kind) from None
    except BotoCoreError as error:
        raise _refused(failure, what, error) from None


def _answered(failure: type[PipelineError], what: str, response: Mapping[str, Any]) -> PipelineError:
    """What the service said."""
    said = response.get("Error", {})
    code = str(said.get("Code", ""))
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0) or 0)
    from strata_git.pipeline.backoff import seconds_to_wait

    return failure(
        f"{what}: {printable(code) or status} {told(said.get('Message', ''))}".rstrip(". ") + ".",
        kind=_kind(code, status),
        retry_after=seconds_to_wait(metadata.get("HTTPHeaders", {}).get("retry-after")),
        status=status or None,
    )


def _kind(code: str, status: int) -> Kind:
    named: tuple[tuple[frozenset[str], Kind], ...] = (
        (_THROTTLED, "throttled"), (_AUTHENTICATION, "authentication"), (_PERMISSION, "permission"),
        (_NOT_FOUND, "not_found"), (_CONFLICT, "conflict"),
    )  # fmt: skip
    for codes, kind in named:
        if code in codes:
            return kind
    return _PASSING.get(code) or kind_of(status)  # type: ignore[return-value]


def _refused(failure: type[PipelineError], what: str, error: Exception) -> PipelineError:
    """What the SDK itself would not do."""
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "SSO" in name:
        hint = "Name key and secret in strata.yaml, or give the SDK its own: AWS_PROFILE, AWS_ACCESS_KEY_ID, a role."
        return failure(f"{what}: {told(error)}", kind="authentication", hint=hint)
    return failure(f"{what}: {told(error)}", kind="invalid", hint="See the section in strata.yaml: git strata config")
