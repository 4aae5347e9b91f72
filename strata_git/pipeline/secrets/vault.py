"""Secrets in Azure Key Vaults, by the SDK's own way of finding out who asks. Of all permissions only get is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit

from strata_git.contracts.pipeline import AzureKey
from strata_git.pipeline.backoff import seconds_to_wait
from strata_git.pipeline.errors import kind_of, told
from strata_git.pipeline.secrets.failure import SecretError, place

PUBLIC = "https://{}.vault.azure.net"
CONNECT_S = 10
READ_S = 30
_CLOUDS = frozenset({
    "login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
})  # fmt: skip
"""Who logs in for the clouds that the SDK can look up; any other authority must be taken at its word."""


def get(key: AzureKey, environ: Mapping[str, str]) -> str:
    """The secret's text. Raises SecretError."""
    from azure.identity import DefaultAzureCredential
    from azure.keyvault.secrets import SecretClient

    address = key.vault if "://" in key.vault else PUBLIC.format(key.vault)
    private = _is_private(environ)
    with (
        _translated(place(key)),
        DefaultAzureCredential(disable_instance_discovery=private) as credential,
        SecretClient(
            address, credential, retry_total=0, connection_timeout=CONNECT_S, read_timeout=READ_S,
            verify_challenge_resource=not is_loopback(address),
        ) as vault,
    ):  # fmt: skip
        value = vault.get_secret(key.name, key.version).value
    if not value:
        raise SecretError(f"{place(key)}: has no value", kind="not_found")
    return value


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own: the only place where a vault may ask for a token of another domain.

    Whoever could choose both, the vault and what its tokens are for, would be handed tokens for other vaults.
    """
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(environ: Mapping[str, str]) -> bool:
    authority = environ.get("AZURE_AUTHORITY_HOST", "")
    host = urlsplit(authority if "://" in authority else f"https://{authority}").hostname
    return bool(authority) and host not in _CLOUDS


@contextmanager
def _translated(where: str) -> Iterator[None]:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceResponseError

    try:
        yield
    except ClientAuthenticationError as error:
        status = error.status_code
        kind = kind_of(status) if status else "authentication"
        raise SecretError(f"{where}: {_first_line(error)}", kind=kind, status=status) from None
    except HttpResponseError as error:
        status = error.status_code or 0
        headers = getattr(error.response, "headers", None) or {}
        wait = seconds_to_wait(headers.get("Retry-After"))
        raise SecretError(
            f"{where}: {_first_line(error)}", kind=kind_of(status), retry_after=wait, status=status
        ) from None
    except AzureError as error:
        late = isinstance(error, ServiceResponseError) or "timed out" in str(error).lower()
        raise SecretError(f"{where}: {_first_line(error)}", kind="timeout" if late else "unavailable") from None
    except ValueError as error:  # an address or a challenge that cannot be meant
        raise SecretError(f"{where}: {_first_line(error)}", kind="invalid") from None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    if "challenge resource" in str(error):  # what the SDK advises here would hand tokens to strangers
        return "it asks for a token of another domain than its own, and is given none"
    return told(lines[0]) if lines else type(error).__name__
