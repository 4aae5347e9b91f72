"""Where files of a sink lie: a directory or a bucket. Things are put there once and never replaced."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from strata_git.errors import printable
from strata_git.pipeline.aws import translated
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.repo.files import fsync_dir


class Store(Protocol):
    """Somewhere that keeps bytes by name; names are relative, with `/`."""

    @property
    def uri(self) -> str:
        """Where it is."""

    def create(self, name: str, data: bytes) -> bool:
        """Put `data` there unless the name is taken; whether it was put. Raises ExportError."""

    def read(self, name: str) -> bytes | None:
        """What is there; None when nothing is. Raises ExportError."""

    def exists(self, name: str) -> bool:
        """Whether something is there. Raises ExportError."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Files below `root`, which may not be there yet. None is ever half there; no link is written through."""

    sink: str
    root: Path

    @property
    def uri(self) -> str:
        """Its path."""
        return str(self.root)

    def create(self, name: str, data: bytes) -> bool:
        """A file written aside, then linked to its name: that refuses a name that is taken."""
        target = self.root / name
        temporary = target.with_name(f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.{os.getpid()}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._inside(target.parent)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                with open(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                _named(temporary, target)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
            fsync_dir(target.parent)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed(target, error) from None
        return True

    def read(self, name: str) -> bytes | None:
        """The file's bytes."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(self.root / name, error) from None

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.lexists(self.root / name)

    def _inside(self, directory: Path) -> None:
        if not directory.resolve().is_relative_to(self.root.resolve()):
            raise ExportError(f"{self.sink}: {printable(str(directory))} is a link that leads out of the sink.")

    def _failed(self, path: Path, error: OSError) -> ExportError:
        kind = "permission" if isinstance(error, PermissionError) else "invalid"
        return ExportError(
            f"{self.sink}: {printable(str(path))} cannot be written: {error.strerror}.",
            kind=kind,  # type: ignore[arg-type]
            hint=f"Is sinks.{self.sink}.path in strata.yaml right, and is there space?",
        )


def _named(temporary: Path, target: Path) -> None:
    """Give a file its name unless that is taken: FileExistsError then."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        if os.path.lexists(target):  # no links on this file system, so two at once may both win, with the same bytes
            raise FileExistsError(errno.EEXIST, "taken") from None
        os.rename(temporary, target)


@dataclass(frozen=True)
class Bucket:
    """Objects of a bucket below `prefix`; puts are conditional (If-None-Match), checked by the store itself."""

    sink: str
    bucket: str
    prefix: str
    make: Callable[[], Any] = field(repr=False)
    kms_key: str | None = None
    backoff: Backoff = field(default=Backoff(), repr=False)

    @property
    def uri(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @cached_property
    def _client(self) -> Any:
        return self.make()

    def create(self, name: str, data: bytes) -> bool:
        """One put. An answer that got lost is no loss: the second put finds the name taken by the very same bytes."""
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}
        try:
            self._asked(
                "put_object", name, Body=data, IfNoneMatch="*", ChecksumAlgorithm="SHA256",
                ChecksumSHA256=b64encode(hashlib.sha256(data).digest()).decode(), **encryption,
            )  # fmt: skip
        except ExportError as error:
            if error.status == 412:
                return False
            raise
        return True

    def read(self, name: str) -> bytes | None:
        """The object's bytes."""
        try:
            answer = self._asked("get_object", name)
        except ExportError as error:
            if error.kind == "not_found" and error.status == 404 and "NoSuchBucket" not in error.message:
                return None
            raise
        with translated(ExportError, self._what(name)):
            data: bytes = answer["Body"].read()
        return data

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        try:
            self._asked("head_object", name)
        except ExportError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _asked(self, operation: str, name: str, **words: Any) -> Any:
        def ask() -> Any:
            with translated(ExportError, self._what(name)):
                return getattr(self._client, operation)(Bucket=self.bucket, Key=f"{self.prefix}{name}", **words)

        return self.backoff.call(ask)

    def _what(self, name: str) -> str:
        return f"{self.sink}: s3://{self.bucket}/{printable(self.prefix + name)}"
