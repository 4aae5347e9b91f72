"""The indexes of a chain: chunks gathered on the disk, vectors of them, and what is looked up there.

    index/<name>/chunks.jsonl    a line a chunk, in the order of the documents
    index/<name>/vectors.i16     a row a chunk (`retrieval.nearest`)
    index/<name>/index.json      what made them, how many, and the digests of both
    index/<name>/sources.jsonl   what was read for it, where a connector gave the documents

All are artifacts of the run, and depend on the documents and the settings alone. A chunk whose text was embedded before
is not embedded again (`models.memory`).
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from strata_git.contracts.chain import ChunkIndex, Retrieve
from strata_git.errors import StrataError, printable
from strata_git.pipeline.chain.ordered import each
from strata_git.pipeline.errors import InferenceError, ProcessingError
from strata_git.pipeline.models.embedding import EmbeddingClient
from strata_git.pipeline.retrieval.nearest import SCALE, Vectors, append

FOLDER, CHUNKS, VECTORS, ABOUT, SOURCES = "index", "chunks.jsonl", "vectors.i16", "index.json", "sources.jsonl"
SCHEMA = "strata/chunk-index/v1"
_KEPT = ("id", "document", "sha256", "uri", "index", "start", "end", "text")
_AT_ONCE = 4
"""Calls at the same time where strata.yaml does not say how many."""
_ALOUD = 1000
"""Chunks between two words about how far it is."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The chunks of one index on the disk: where, how many, and how many tokens they have."""

    name: str
    directory: Path
    chunks: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Opened:
    """An index that can be asked: the chunks' lines by their places in the file, the vectors, who embeds questions."""

    gathered: Gathered
    places: Sequence[int]
    vectors: Vectors
    client: EmbeddingClient

    async def find(self, retrieve: Retrieve, query: str) -> dict[str, Any]:
        """What a step that retrieves answers: `text`, and `hits`, the likest first. Raises InferenceError."""
        import anyio

        (vector,) = await self.client.embed([query])
        near = await anyio.to_thread.run_sync(self.vectors.nearest, vector, retrieve.top)
        hits = []
        with open(self.gathered.directory / CHUNKS, "rb") as lines:
            for one in near:
                if retrieve.least is None or one.score >= retrieve.least:
                    lines.seek(self.places[one.row])
                    hits.append({**json.loads(lines.readline()), "score": one.score})
        return {"text": "\n\n".join(hit["text"] for hit in hits), "hits": hits}


def gather(name: str, index: ChunkIndex, directory: Path, rows: Iterable[tuple[Mapping[str, Any], int]]) -> Gathered:
    """Set down the chunks of an index, given with their numbers of tokens. Raises ProcessingError where it has none."""
    directory.mkdir(parents=True, exist_ok=True)
    chunks = tokens = 0
    with open(directory / CHUNKS, "wb") as out:
        for row, size in rows:
            line = json.dumps({key: row[key] for key in _KEPT}, ensure_ascii=False, separators=(",", ":"))
            out.write(line.encode("utf-8", "surrogatepass") + b"\n")
            chunks, tokens = chunks + 1, tokens + size
    if not chunks:
        where = f"the run {index.run}" if index.run else f"the connector {printable(index.connector or '')}"
        raise ProcessingError(f"The index '{printable(name)}' would hold nothing: {where} gives no chunk.")
    return Gathered(name, directory, chunks, tokens)


def chunks_of_run(index: ChunkIndex, artifacts: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The chunks that a run of `process` made, with what is known of their documents."""
    known: dict[str, tuple[str, str, str]] = {}
    for line in _lines(artifacts / "documents.jsonl"):
        known[line["id"]] = (line["name"], line["sha256"], line["uri"])
    for line in islice(_lines(artifacts / CHUNKS), index.limit):
        document, sha256, uri = known[line["document"]]
        yield {**line, "document": document, "sha256": sha256, "uri": uri}, int(line["tokens"])


async def built(
    gathered: Gathered, client: EmbeddingClient, allowed: Callable[[], None], log: Callable[[str], None]
) -> Opened:
    """Embed all chunks and write the index down. `allowed` raises where nothing may be paid for any more.

    Raises InferenceError that names the index.
    """
    places, dimensions, done = array("q"), 0, 0
    with open(gathered.directory / VECTORS, "wb") as out:

        async def embed(texts: list[str]) -> list[bytes]:
            allowed()
            return await client.embed(texts)

        def put(vectors: list[bytes]) -> None:
            nonlocal dimensions, done
            found = append(out, vectors)
            if dimensions not in (0, found):
                raise StrataError(
                    f"The index '{printable(gathered.name)}' would hold vectors of {dimensions} and {found} numbers.",
                    hint="Was the deployment changed? Run once with --again.",
                )
            dimensions, done = found, done + len(vectors)
            if done % _ALOUD < len(vectors):
                log(f"index {gathered.name}: {done} of {gathered.chunks} chunks")

        texts = _texts(gathered.directory / CHUNKS, client.embedder.batch, places)
        try:
            await each(texts, embed, put, client.at_once or _AT_ONCE)
        except InferenceError as error:
            told = f"index '{printable(gathered.name)}': {error.message}"
            raise InferenceError(
                told, kind=error.kind, hint=error.hint, retryable=error.retryable, status=error.status
            ) from None
    _describe(gathered, client, dimensions)
    return Opened(gathered, places, Vectors(gathered.directory / VECTORS, dimensions), client)


def _texts(path: Path, size: int, places: array[int]) -> Iterator[list[str]]:
    """Texts of chunks, so many at once; where their lines begin goes to `places`."""
    texts: list[str] = []
    place = 0
    with open(path, "rb") as lines:
        for line in lines:
            places.append(place)
            place += len(line)
            texts.append(json.loads(line)["text"])
            if len(texts) == size:
                yield texts
                texts = []
    if texts:
        yield texts


def _describe(gathered: Gathered, client: EmbeddingClient, dimensions: int) -> None:
    digests = {}
    for name in (CHUNKS, VECTORS):
        with open(gathered.directory / name, "rb") as stream:
            digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    about = {
        "schema": SCHEMA,
        "embeddings": client.embedder.name,
        "dimensions": dimensions,
        "scale": SCALE,
        "chunks": gathered.chunks,
        "sha256": digests,
    }
    text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
    (gathered.directory / ABOUT).write_text(text, encoding="utf-8")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as lines:
        for line in lines:
            yield json.loads(line)
