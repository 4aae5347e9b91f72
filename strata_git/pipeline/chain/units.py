"""The chunks of a chain while they wait: lines of a file, so that memory does not grow with the documents.

A unit is a chunk, the document it was cut from (without its text), and the answers it has so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata_git.pipeline.documents.document import Chunk, Document


@dataclass(slots=True)
class Unit:
    """`answers` by the names of steps; a step that was not asked has null."""

    chunk: dict[str, Any]
    document: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        plain = {"chunk": self.chunk, "document": self.document, "answers": self.answers}
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"

    @property
    def place(self) -> str:
        """Where in the sources it is, for people."""
        return f"{self.document['name']}, chunk {self.chunk['index']}"


def unit_of(chunk: Chunk, document: Document) -> Unit:
    """A chunk that nobody was asked about yet."""
    about = {
        "id": document.id, "name": document.name, "uri": document.uri, "type": document.type,
        "sha256": document.sha256, "bytes": document.bytes, "modified": document.modified,
    }  # fmt: skip
    cut = {
        "id": chunk.id, "text": chunk.text, "index": chunk.index, "start": chunk.start, "end": chunk.end,
        "tokens": chunk.tokens,
    }  # fmt: skip
    return Unit(cut, about)


def units(path: Path) -> Iterator[Unit]:
    """The units of a file, one by one."""
    with open(path, "rb") as lines:
        for line in lines:
            said = json.loads(line)
            yield Unit(said["chunk"], said["document"], said["answers"])


class Texts:
    """Whole texts of documents on the disk, the latest one in memory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._latest: tuple[str, str] = ("", "")

    def put(self, document: Document) -> None:
        (self._directory / f"{document.id}.txt").write_text(document.text, encoding="utf-8", newline="")

    def get(self, document: str) -> str:
        if self._latest[0] != document:
            with open(self._directory / f"{document}.txt", encoding="utf-8", newline="") as stream:
                self._latest = (document, stream.read())
        return self._latest[1]
