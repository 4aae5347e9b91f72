"""Documents and chunks as values, and as the lines of documents.jsonl and chunks.jsonl.

Both carry nothing but what follows from the content, the name and how it was cut, so that the same sources give the
same bytes on every machine; when a source was changed, and the marks it gave, stand in the run's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader made of a blob: text (markdown where `markdown`), facts about it, and what a reader should know."""

    text: str
    markdown: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A blob as text.

    `type` is the kind that its content shows (`markdown`, `html`, `csv`, ...), `bytes` and `sha256` are those of the
    blob, `modified` is ISO 8601 or empty, `notes` tell what was surprising about it without keeping it out.
    """

    id: str
    name: str
    uri: str
    type: str
    sha256: str
    bytes: int
    text: str
    modified: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """A line of documents.jsonl."""
        return {
            "id": self.id,
            "name": self.name,
            "uri": self.uri,
            "type": self.type,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": dict(self.metadata),
            "notes": list(self.notes),
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `text` is `document.text[start:end]`, offsets in characters.

    `tokens` are counted by the tokenizer that the chunking names; where there is none here, `exact` is False and they
    are an estimate.
    """

    id: str
    document: str
    index: int
    start: int
    end: int
    tokens: int
    exact: bool
    text: str

    def plain(self) -> dict[str, object]:
        """A line of chunks.jsonl."""
        return {
            "id": self.id,
            "document": self.document,
            "index": self.index,
            "start": self.start,
            "end": self.end,
            "tokens": self.tokens,
            "exact": self.exact,
            "text": self.text,
        }


def document_id(name: str, digest: str) -> str:
    """What a document is called: it follows from its name and the digest of its bytes."""
    return sha256(f"{name}\0{digest}".encode(errors="surrogatepass")).hexdigest()[:ID_DIGITS]


def chunk_id(document: str, start: int, end: int, chunking: str) -> str:
    """What a chunk is called: it follows from its document, where it is in it, and how that was cut."""
    return sha256(f"{document}\0{start}\0{end}\0{chunking}".encode()).hexdigest()[:ID_DIGITS]
