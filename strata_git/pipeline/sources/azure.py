"""Blobs of a container in Azure Storage, or at any endpoint that speaks its protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from strata_git.contracts.pipeline import AzureConnector
from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff, seconds_to_wait
from strata_git.pipeline.errors import ConnectorError, kind_of, told
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.local import media_type
from strata_git.pipeline.sources.patterns import Patterns, composed, patterns
from strata_git.pipeline.streaming import BUFFER, Body, resuming


def connector(settings: AzureConnector, place: Place) -> AzureBlobs:
    """The connector for those settings."""
    where = (settings.endpoint or f"https://{settings.account}.blob.core.windows.net").rstrip("/")
    prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""

    def make() -> Any:
        from azure.storage.blob import ContainerClient

        return ContainerClient(
            where, settings.container, credential=_credential(settings, place), retry_total=0, connection_timeout=10,
            read_timeout=60, max_single_get_size=BUFFER, max_chunk_get_size=4 << 20,
        )  # fmt: skip

    return AzureBlobs(place.name, f"{where}/{settings.container}", prefix, make, settings.include, settings.exclude)


@dataclass(frozen=True)
class AzureBlobs:
    """The blobs of the container at `where` whose names begin with `prefix` (empty, or with a final `/`)."""

    name: str
    where: str
    prefix: str
    make: Callable[[], Any] = field(repr=False)
    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()
    backoff: Backoff = field(default=Backoff(), repr=False)

    @cached_property
    def _container(self) -> Any:
        return self.make()

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """Blobs in the order of their names."""
        return self._listed(patterns(select, exclude, self.include, self.exclude))

    def open(self, ref: ResourceRef) -> AbstractContextManager[BinaryIO]:
        """The blob's bytes, of one version from the first to the last."""
        key, version = self._key(ref)
        seen: dict[str, Any] = {}

        def start(offset: int) -> Body:
            if offset and offset >= seen["size"]:
                return _Rest(iter(()), self._what(key))
            with _translated(self._what(key)):
                blob = self._container.get_blob_client(key, **({"version_id": version} if version else {}))
                match = {"etag": seen["etag"], "match_condition": seen["match"]} if seen else {}
                answer = blob.download_blob(offset=offset or None, **match)
            from azure.core import MatchConditions

            seen.setdefault("etag", answer.properties.etag)
            seen.setdefault("size", answer.properties.size)
            seen.setdefault("match", MatchConditions.IfNotModified)
            return _Rest(answer.chunks(), self._what(key))

        return resuming(start, self.backoff)

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """The blob as it is now; the reference that comes back names its version, where the account keeps versions."""
        key, version = self._key(ref)

        def ask() -> Any:
            with _translated(self._what(key)):
                blob = self._container.get_blob_client(key, **({"version_id": version} if version else {}))
                return blob.get_blob_properties()

        return self._told(ref.name, self.backoff.call(ask), pinned=True)

    def _listed(self, chosen: Patterns) -> Iterator[ResourceInfo]:
        for beginning in chosen.prefixes:
            after: str | None = None
            while True:
                page, after = self._page(self.prefix + beginning, after)
                for blob in page:
                    name = composed(blob.name.removeprefix(self.prefix))
                    if name and not name.endswith("/") and chosen.take(name):
                        yield self._told(name, blob)
                if not after:
                    break

    def _page(self, beginning: str, after: str | None) -> tuple[Sequence[Any], str | None]:
        def ask() -> tuple[Sequence[Any], str | None]:
            with _translated(self._what(beginning)):
                pages = self._container.list_blobs(name_starts_with=beginning).by_page(after)
                found = list_of(next(pages, ()))
                return found, pages.continuation_token

        return self.backoff.call(ask)

    def _told(self, name: str, blob: Any, *, pinned: bool = False) -> ResourceInfo:
        version = blob.version_id or ""
        query = f"?{urlencode({'versionid': version})}" if version and pinned else ""
        claimed = (blob.content_settings.content_type or "") if blob.content_settings else ""
        return ResourceInfo(
            ResourceRef(name, f"{self.where}/{quote(blob.name)}{query}"),
            bytes=blob.size,
            modified=blob.last_modified.astimezone(UTC) if blob.last_modified else None,
            etag=str(blob.etag or "").strip('"'),
            version=version,
            media_type=claimed if claimed not in ("", "application/octet-stream") else media_type(name),
        )

    def _key(self, ref: ResourceRef) -> tuple[str, str]:
        parts = urlsplit(ref.uri)
        inner = ref.uri.partition("?")[0].removeprefix(f"{self.where}/")
        key = unquote(inner)
        if inner == ref.uri.partition("?")[0] or not key.startswith(self.prefix):
            raise ConnectorError(f"{self.name}: {printable(ref.uri)} is not in this container.")
        return key, parse_qs(parts.query).get("versionid", [""])[0]

    def _what(self, key: str) -> str:
        return f"{self.name}: {self.where}/{printable(key)}"


list_of = list
"""The builtin: inside the class that name is the verb."""


class _Rest:
    """Chunks as a body whose errors are ours."""

    def __init__(self, chunks: Iterator[bytes], what: str) -> None:
        self._chunks = chunks
        self._what = what
        self._left = b""

    def read(self, amount: int) -> bytes:
        if not self._left:
            with _translated(self._what):
                self._left = next(self._chunks, b"")
        data, self._left = self._left[:amount], self._left[amount:]
        return data

    def close(self) -> None:
        self._left = b""


def _credential(settings: AzureConnector, place: Place) -> Any:
    """An account key, a SAS token, or else the identity that the machine has."""
    if settings.key:
        value = place.secrets.get(settings.key)
        if "sig=" in value:
            from azure.core.credentials import AzureSasCredential

            return AzureSasCredential(value.removeprefix("?"))
        return {"account_name": settings.account, "account_key": value}
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        yield
    except ClientAuthenticationError as error:
        kind = kind_of(error.status_code or 401)
        raise ConnectorError(f"{what}: {_code(error)}.", kind=kind, status=error.status_code) from None
    except HttpResponseError as error:
        status = error.status_code or 500
        headers = getattr(error.response, "headers", {})
        raise ConnectorError(
            f"{what}: {status} {_code(error)}.", kind=kind_of(status), status=status,
            retry_after=seconds_to_wait(headers.get("Retry-After")),
        ) from None  # fmt: skip
    except (ServiceRequestError, ServiceResponseError) as error:
        raise ConnectorError(f"{what}: {told(type(error).__name__)}.", kind="unavailable") from None
    except ValueError as error:  # a key that is no key
        raise ConnectorError(f"{what}: {told(type(error).__name__)}.", kind="authentication") from None
    except AzureError as error:
        raise ConnectorError(f"{what}: {told(type(error).__name__)}.", kind="unavailable") from None


def _code(error: Any) -> str:
    code = getattr(error, "error_code", None)
    return told(getattr(code, "value", code) or getattr(error, "reason", None) or type(error).__name__)
