"""The rows of a query in Redshift: unloaded to S3 by the data base itself, then read from there.

Every listing's unload has a directory of its own below `staging`, so that none reads what another wrote; the rows of
one connector are unloaded once. They stay there: a lifecycle rule of the bucket takes them away (docs/sources.md).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import uuid4

from strata_git.contracts.pipeline import UnloadConnector
from strata_git.pipeline.aws import client
from strata_git.pipeline.aws import translated as aws_translated
from strata_git.pipeline.databases import connected, translated, unload_statement
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.s3 import S3


def connector(settings: UnloadConnector, place: Place) -> Unloaded:
    """The connector for those settings; Redshift is asked over TLS only."""
    return Unloaded(
        place.name,
        settings,
        lambda: connected(settings, place.secrets.get(settings.key), port=5439, tls=True),
        lambda: client("s3", _Account(settings.region, settings.endpoint), place.secrets, place.environ),
    )


@dataclass(frozen=True, slots=True)
class _Account:
    region: str | None
    endpoint: str | None


@dataclass(frozen=True)
class Unloaded:
    """Files of Parquet as Redshift names them."""

    name: str
    settings: UnloadConnector = field(repr=False)
    connection: Callable[[], Any] = field(repr=False)
    s3: Callable[[], Any] = field(repr=False)
    batch: Callable[[], str] = field(default=lambda: uuid4().hex, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)
    _kept: dict[str, S3] = field(default_factory=dict, init=False, repr=False, compare=False)

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """The files that were unloaded; the first time the query is run."""
        return self._bucket().list(select, exclude)

    def open(self, ref: ResourceRef) -> AbstractContextManager[BinaryIO]:
        """One file's bytes."""
        return self._bucket().open(ref)

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """One file."""
        return self._bucket().info(ref)

    def _bucket(self) -> S3:
        with self._lock:
            if "bucket" not in self._kept:
                self._kept["bucket"] = self._unloaded()
            return self._kept["bucket"]

    def _unloaded(self) -> S3:
        place = urlsplit(self.settings.staging)
        prefix = f"{place.path.strip('/')}/{self.batch()}/"
        target = f"s3://{place.netloc}/{prefix}"
        statement = unload_statement(
            self.settings.query,
            target,
            self.settings.iam_role,
            kms_key=self.settings.kms_key,
            region=self.settings.region,
        )
        what = f"{self.name}: {self.settings.host}"
        with translated(ConnectorError, what), closing(self.connection()) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement)
            connection.commit()
        s3 = self.s3()
        self._whole(s3, place.netloc, f"{prefix}manifest")
        without = (*self.settings.exclude, "manifest")
        return S3(self.name, place.netloc, prefix, lambda: s3, self.settings.include, without)

    def _whole(self, s3: Any, bucket: str, key: str) -> None:
        """Raise ConnectorError when what the manifest names is not all there."""
        with aws_translated(ConnectorError, f"{self.name}: s3://{bucket}/{key}"):
            manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            for entry in manifest["entries"]:
                named = urlsplit(entry["url"])
                size = s3.head_object(Bucket=named.netloc, Key=named.path.removeprefix("/"))["ContentLength"]
                if size != entry.get("meta", {}).get("content_length", size):
                    raise ConnectorError(f"{self.name}: {entry['url']} is not as long as the manifest says.")
