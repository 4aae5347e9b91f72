"""Objects of a bucket: at Amazon's, or at any endpoint that speaks S3.

A listing goes page by page below the longest beginnings that the patterns allow, so that a pattern such as
`2026/**/*.md` never lists the rest of the bucket. A broken transfer is taken up where it stopped, of the same version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from strata_git.contracts.pipeline import S3Connector
from strata_git.errors import printable
from strata_git.pipeline.aws import client, translated
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.local import media_type
from strata_git.pipeline.sources.patterns import Patterns, composed, patterns
from strata_git.pipeline.streaming import Body, resuming

_DIRECTORY = "application/x-directory"


def connector(settings: S3Connector, place: Place) -> S3:
    """The connector for those settings."""
    return S3(
        place.name,
        settings.bucket,
        _directory(settings.prefix),
        lambda: client("s3", settings, place.secrets, place.environ),
        settings.include,
        settings.exclude,
    )


@dataclass(frozen=True)
class S3:
    """The objects of `bucket` whose keys begin with `prefix` (empty, or with a final `/`)."""

    name: str
    bucket: str
    prefix: str
    make: Callable[[], Any]
    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()
    backoff: Backoff = field(default=Backoff(), repr=False)

    @cached_property
    def _client(self) -> Any:
        return self.make()

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """Objects in the bytewise order of their keys; what stands for a directory is none."""
        return self._listed(patterns(select, exclude, self.include, self.exclude))

    def open(self, ref: ResourceRef) -> AbstractContextManager[BinaryIO]:
        """The object's bytes, of the version that the reference names, or of one version that stays the same."""
        key, version = self._key(ref)
        seen: dict[str, str] = {"VersionId": version} if version else {}

        def start(offset: int) -> Body:
            asked: dict[str, str] = {"Bucket": self.bucket, "Key": key, **seen}
            if offset:
                asked["Range"] = f"bytes={offset}-"
            with translated(ConnectorError, self._what(key)):
                try:
                    answer = self._client.get_object(**asked)
                except Exception as error:
                    if offset and _code(error) == "InvalidRange":  # it broke after the last byte
                        return _Rest(None, self._what(key))
                    raise
            seen.setdefault("IfMatch", answer["ETag"])
            return _Rest(answer["Body"], self._what(key))

        return resuming(start, self.backoff)

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """The object as it is now, or the version that the reference names; where the bucket keeps versions, the
        reference that comes back names the one that was seen, so that reading it reads just that one.
        """
        key, version = self._key(ref)
        asked = {"Bucket": self.bucket, "Key": key} | ({"VersionId": version} if version else {})
        answer = self._asked("head_object", self._what(key), **asked)
        found = _version(answer.get("VersionId"))
        query = f"?{urlencode({'versionId': found})}" if found else ""
        return ResourceInfo(
            ResourceRef(ref.name, ref.uri.partition("?")[0] + query),
            bytes=answer["ContentLength"],
            modified=answer["LastModified"].astimezone(UTC),
            etag=answer["ETag"].strip('"'),
            version=found,
            media_type=_claimed(answer.get("ContentType", "")) or media_type(ref.name),
        )

    def _listed(self, chosen: Patterns) -> Iterator[ResourceInfo]:
        for beginning in chosen.prefixes:
            token: dict[str, str] = {}
            while True:
                page = self._asked(
                    "list_objects_v2",
                    self._what(self.prefix),
                    Bucket=self.bucket,
                    Prefix=self.prefix + beginning,
                    **token,
                )
                for entry in page.get("Contents", ()):
                    name = composed(entry["Key"].removeprefix(self.prefix))
                    if name and not name.endswith("/") and chosen.take(name):
                        yield self._told(name, entry)
                if not page.get("IsTruncated"):
                    break
                token = {"ContinuationToken": page["NextContinuationToken"]}

    def _told(self, name: str, entry: Mapping[str, Any]) -> ResourceInfo:
        return ResourceInfo(
            ResourceRef(name, f"s3://{self.bucket}/{quote(entry['Key'])}"),
            bytes=entry["Size"],
            modified=entry["LastModified"].astimezone(UTC),
            etag=entry["ETag"].strip('"'),
            media_type=media_type(name),
        )

    def _asked(self, operation: str, what: str, **words: Any) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            with translated(ConnectorError, what):
                answer: Mapping[str, Any] = getattr(self._client, operation)(**words)
                return answer

        return self.backoff.call(ask)

    def _key(self, ref: ResourceRef) -> tuple[str, str]:
        """Key and version of a reference. Raises ConnectorError for one of another bucket or prefix."""
        parts = urlsplit(ref.uri)
        key = unquote(parts.path.removeprefix("/"))
        if parts.scheme != "s3" or parts.netloc != self.bucket or not key.startswith(self.prefix):
            raise ConnectorError(f"{self.name}: {printable(ref.uri)} is not below s3://{self.bucket}/{self.prefix}.")
        return key, parse_qs(parts.query).get("versionId", [""])[0]

    def _what(self, key: str) -> str:
        return f"{self.name}: s3://{self.bucket}/{printable(key)}"


class _Rest:
    """A body whose errors are ours."""

    def __init__(self, body: Any, what: str) -> None:
        self._body = body
        self._what = what

    def read(self, amount: int) -> bytes:
        if self._body is None:
            return b""
        with translated(ConnectorError, self._what):
            data: bytes = self._body.read(amount)
            return data

    def close(self) -> None:
        if self._body is not None:
            self._body.close()


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _version(text: str | None) -> str:
    return "" if text in (None, "null") else str(text)


def _claimed(text: str) -> str:
    return "" if text in ("binary/octet-stream", "application/octet-stream", _DIRECTORY) else text


def _directory(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""
