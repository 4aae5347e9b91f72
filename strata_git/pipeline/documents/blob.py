"""A blob: bytes that a source gave, before anybody knows what they are."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused


@dataclass(frozen=True, slots=True)
class Blob:
    """One resource of a source.

    `open` gives a fresh seekable stream each time. `bytes` and `sha256` are of the content; `media_type` is what the
    source claims, empty when it claims nothing; `modified`, `etag` and `version` are the source's own marks.
    """

    name: str
    uri: str
    open: Callable[[], AbstractContextManager[BinaryIO]]
    bytes: int
    sha256: str
    media_type: str = ""
    modified: datetime | None = None
    etag: str = ""
    version: str = ""

    def content(self, limits: Limits) -> builtins.bytes:
        """All bytes. Raises Refused when there are more than the limits allow."""
        with self.open() as stream:
            data = stream.read(limits.bytes + 1)
        if len(data) > limits.bytes:
            raise Refused("too_large", f"it has more than {limits.bytes} bytes")
        return data


def blob_of_file(path: Path, name: str = "", **about: object) -> Blob:
    """A file as a blob; its digest is computed now. Raises OSError when it cannot be read."""
    import hashlib

    with open(path, "rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = os.fstat(stream.fileno()).st_size
    facts = {"uri": path.absolute().as_uri(), "bytes": size, "sha256": sha256} | about
    return Blob(name=name or path.name, open=lambda: path.open("rb"), **facts)  # type: ignore[arg-type]


def blob_of_bytes(data: bytes, name: str, **about: object) -> Blob:
    """Bytes in memory as a blob."""
    import hashlib

    facts = {"uri": f"memory:{name}", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} | about
    return Blob(name=name, open=lambda: io.BytesIO(data), **facts)  # type: ignore[arg-type]
