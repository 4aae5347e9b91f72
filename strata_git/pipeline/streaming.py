"""A stream over a network that breaks: read on where it stopped, and only if the content is still the same."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast

from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import PipelineError

BUFFER = 1 << 18
"""Bytes asked for at once; two such buffers are all that a stream holds."""


class Body(Protocol):
    """What a client of a vendor gives to read from."""

    def read(self, amount: int) -> bytes:
        """Up to so many bytes; none at the end. Raises PipelineError."""

    def close(self) -> None:
        """Give the connection back."""


class _Resuming(io.RawIOBase):
    """Bytes from `start(offset)`; a body that breaks is asked for anew from where it broke."""

    def __init__(self, start: Callable[[int], Body], backoff: Backoff) -> None:
        super().__init__()
        self._start = start
        self._backoff = backoff
        self._offset = 0
        self._body: Body | None = backoff.call(lambda: start(0))

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._offset

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer)).cast("B")
        data = self._backoff.call(lambda: self._read(len(view)))
        view[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, amount: int) -> bytes:
        if self._body is None:
            self._body = self._start(self._offset)
        try:
            return self._body.read(amount)
        except PipelineError:
            self._drop()
            raise

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


@contextmanager
def resuming(start: Callable[[int], Body], backoff: Backoff) -> Iterator[BinaryIO]:
    """A stream of what `start(offset)` gives from an offset on; it must refuse content that has changed meanwhile."""
    with io.BufferedReader(_Resuming(start, backoff), BUFFER) as stream:
        yield cast(BinaryIO, stream)
