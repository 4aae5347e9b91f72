"""Rows set down once, so that their digest and their columns are known before a sink is touched."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from strata_git.errors import printable
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Column, Row, canonical_line, note_columns, plain_row, settled

IN_MEMORY = 8 << 20
"""Bytes of rows beyond which they go to a temporary file."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Plain rows that can be read several times. `digest` is `sha256:` and that of their canonical lines."""

    digest: str
    count: int
    columns: dict[str, Column]
    _lines: IO[bytes]

    def rows(self) -> Iterator[Row]:
        """The rows as they came; one reader at a time."""
        self._lines.seek(0)
        for line in self._lines:
            yield json.loads(line)

    def parts(self, most_rows: int, most_bytes: int = 64 << 20) -> Iterator[list[Row]]:
        """The rows in lists of at most so many, and of about so many bytes."""
        part: list[Row] = []
        size = 0
        self._lines.seek(0)
        for line in self._lines:
            part.append(json.loads(line))
            size += len(line)
            if len(part) == most_rows or size >= most_bytes:
                yield part
                part, size = [], 0
        if part:
            yield part

    def distinct(self, sink: str, key_fields: Sequence[str]) -> tuple[list[int], int]:
        """The places of the rows that count, the last of each key, and how many others there are.

        Holds a digest for each key, so a hundred million rows are too many, ten million are not.
        """
        from strata_git.pipeline.sinks.exporter import keys_held

        last: dict[bytes, int] = {}
        for place, row in enumerate(self.rows()):
            key = json.dumps(keys_held(sink, row, key_fields), ensure_ascii=False)
            last[hashlib.blake2b(key.encode(), digest_size=16).digest()] = place
        return sorted(last.values()), self.count - len(last)

    def at(self, places: Iterable[int]) -> Iterator[Row]:
        """The rows at those places, which must go up."""
        wanted = iter(places)
        following = next(wanted, None)
        for place, row in enumerate(self.rows()):
            if place == following:
                yield row
                following = next(wanted, None)


@contextmanager
def spooled(sink: str, rows: Iterable[Row]) -> Iterator[Spool]:
    """Those rows, set down for as long as the block lasts. Raises ExportError for a row that JSON cannot say."""
    digest = hashlib.sha256()
    columns: dict[str, Column | None] = {}
    count = 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="strata-export-") as lines:
        for row in rows:
            try:
                plain = plain_row(row)
            except ValueError as error:
                raise ExportError(f"{sink}: row {count + 1}: {printable(str(error))}.") from None
            note_columns(columns, plain)
            digest.update(canonical_line(plain))
            lines.write(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            count += 1
        yield Spool(f"sha256:{digest.hexdigest()}", count, settled(columns), lines)
