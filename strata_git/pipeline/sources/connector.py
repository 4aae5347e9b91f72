"""What every source offers: its resources are listed by patterns, described, and read as streams.

A resource is known by its *name*, a relative path with `/` in NFC that patterns are matched against, and by its *URI*,
which says where it is. `etag` and `version` are the source's own marks of the content: what they were when a resource
was read is recorded with the run, so that its provenance pins the source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """One thing in a source. `uri` is opaque but to its connector, and holds no credentials."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class ResourceInfo:
    """What a source says of a resource before it is read.

    `bytes` and `modified` (with its time zone) are None, the texts empty, where the source does not know.
    `media_type` is what the source claims; what it is, reading decides.
    """

    ref: ResourceRef
    bytes: int | None = None
    modified: datetime | None = None
    etag: str = ""
    version: str = ""
    media_type: str = ""


@runtime_checkable
class DataConnector(Protocol):
    """A source of documents. All methods may be called from several threads at once."""

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """The resources whose names fit a pattern of `select` (all: none given) and none of `exclude`, in the order of
        their names as far as the source has one; lazily, page by page. What the connector's own settings include and
        exclude holds besides. Raises ConnectorError.
        """

    def open(self, ref: ResourceRef) -> AbstractContextManager[BinaryIO]:
        """The content as a stream, never read whole. Raises ConnectorError, also while it is read."""

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """What is known of one resource now. Raises ConnectorError (`not_found` when it is gone)."""


class Secrets(Protocol):
    """Where the secrets that settings name are had from."""

    def get(self, name: str) -> str:
        """The value of the secret that the section `keys` calls so. Raises StrataError when it cannot be had."""
