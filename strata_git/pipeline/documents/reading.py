"""All documents of a source, in order, each read by a worker that may fail; what is in memory does not grow with them.

A resource is copied to a scratch directory while its digest is computed; a worker makes of it a line of documents.jsonl
and lines of chunks.jsonl there; whoever asked takes these before the next is handed out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from strata_git.contracts.chain import Chunking
from strata_git.errors import StrataError, printable
from strata_git.pipeline.documents.document import Chunk, Document
from strata_git.pipeline.documents.guard import Guard
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.worker import CHUNKS, DOCUMENT
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.sources.connector import DataConnector, ResourceInfo

_PART = 1 << 20
_AHEAD = 2
"""How many documents a worker may be ahead of whoever takes them."""
Ask = Callable[[Mapping[str, object]], dict[str, Any]]
"""What a worker answers to a request (`documents.worker`); any thread may ask."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How documents are read: `ocr` is an engine's name and its languages; `shown` gives a resource's URI as records
    and documents have it."""

    chunking: Chunking = field(default_factory=Chunking)
    ocr: str = "none"
    languages: Sequence[str] = ("eng",)
    limits: Limits = field(default_factory=Limits)
    shown: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one resource.

    `why` and `reason` are empty for a document that was read, else they say why it was not. `directory` holds what the
    worker wrote; it is there until the next reading is asked for. `sha256` and `bytes` are those of what was
    read, empty and 0 when the source gave nothing.
    """

    info: ResourceInfo
    uri: str
    directory: Path
    sha256: str = ""
    bytes: int = 0
    why: str = ""
    reason: str = ""
    id: str = ""
    type: str = ""
    characters: int = 0
    chunks: int = 0
    tokens: int = 0
    exact: bool = True
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource's name, printable."""
        return printable(self.info.ref.name)

    def document(self) -> Document:
        """The document, from what the worker wrote."""
        about = json.loads((self.directory / DOCUMENT).read_bytes())
        modified = self.info.modified.strftime("%Y-%m-%dT%H:%M:%SZ") if self.info.modified else ""
        return Document(**{**about, "notes": tuple(about["notes"]), "modified": modified})

    def pieces(self) -> Iterator[Chunk]:
        """Its chunks, one by one."""
        with open(self.directory / CHUNKS, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield Chunk(**json.loads(line))


def read(
    connector: DataConnector,
    infos: Iterable[ResourceInfo],
    plan: Plan,
    *,
    environ: Mapping[str, str],
    jobs: int = 1,
    scratch: Path | None = None,
    engine: str = "none",
    scheduler: str = "",
) -> Iterator[Reading]:
    """Every resource of `infos`, in their order, `jobs` of them at once.

    Resources are copied here; `engine` says where they are read (`runs.engines`; `none`: by workers of this process),
    which changes nothing of what comes out. `environ` is the snapshot of which workers get a few harmless variables;
    `scratch` is where temporary files go (the system's place for those when not given). A document that cannot be read
    is one `Reading` with its reason. Raises StrataError when the source cannot be listed, or no worker can be started.
    """
    request = _request(plan, environ)
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="strata-documents-", dir=scratch) as name,
        (
            _working(name, environ, plan, jobs)
            if engine == "none"
            else _working_elsewhere(name, environ, jobs, engine, scheduler)
        ) as crew,
    ):
        threads, ask = crew

        def work(place: int, info: ResourceInfo) -> Reading:
            return _worked(connector, info, plan, Path(name) / str(place), ask, request)

        waiting: deque[Future[Reading]] = deque()
        for place, info in enumerate(infos):
            waiting.append(threads.submit(work, place, info))
            if len(waiting) > _AHEAD * jobs:
                yield from _taken(waiting.popleft())
        while waiting:
            yield from _taken(waiting.popleft())


def _taken(future: Future[Reading]) -> Iterator[Reading]:
    reading = future.result()
    yield reading
    shutil.rmtree(reading.directory, ignore_errors=True)


@contextmanager
def _working(name: str, environ: Mapping[str, str], plan: Plan, jobs: int) -> Iterator[tuple[ThreadPoolExecutor, Ask]]:
    """As many threads as guarded workers. Whatever happens, none is left behind, and nobody waits for a document."""
    guards = [Guard(Path(name), environ, plan.limits) for _ in range(jobs)]
    idle: SimpleQueue[Guard] = SimpleQueue()
    for guard in guards:
        idle.put(guard)

    def ask(request: Mapping[str, object]) -> dict[str, Any]:
        guard = idle.get()
        try:
            return guard.ask(request)
        finally:
            idle.put(guard)

    threads = ThreadPoolExecutor(jobs, thread_name_prefix="documents")
    try:
        yield threads, ask
    finally:
        for guard in guards:
            guard.retire()
        threads.shutdown(wait=True, cancel_futures=True)
        for guard in guards:
            guard.close()


@contextmanager
def _working_elsewhere(
    name: str, environ: Mapping[str, str], jobs: int, engine: str, scheduler: str
) -> Iterator[tuple[ThreadPoolExecutor, Ask]]:
    """As many threads as may wait for an engine, which has workers of its own."""
    from strata_git.pipeline.documents import elsewhere
    from strata_git.pipeline.documents.programs import surroundings
    from strata_git.runs.engines import calling

    with TemporaryDirectory(prefix="engine-", dir=name) as own, calling(engine, jobs, scheduler, Path(own)) as call:
        known = {"environ": surroundings(environ)}
        threads = ThreadPoolExecutor(jobs, thread_name_prefix="documents")
        try:
            yield threads, lambda request: call(elsewhere.ask, {**known, **request})
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _request(plan: Plan, environ: Mapping[str, str]) -> dict[str, object]:
    """What is the same in every request."""
    from strata_git.pipeline.documents.programs import surroundings

    return {
        "chunking": plan.chunking.model_dump(exclude_none=True),
        "ocr": {"engine": plan.ocr, "languages": list(plan.languages), "environ": surroundings(environ)},
        "limits": plan.limits.plain(),
    }


def _worked(
    connector: DataConnector,
    info: ResourceInfo,
    plan: Plan,
    directory: Path,
    ask: Ask,
    request: Mapping[str, object],
) -> Reading:
    directory.mkdir()
    reading = Reading(info, plan.shown(info.ref.uri), directory)
    try:
        sha256, size = copied(connector, info, directory / "content", plan.limits)
    except Refused as refused:
        return replace(reading, why=refused.why, reason=refused.reason)
    except (ConnectorError, OSError) as error:
        told = error.message if isinstance(error, StrataError) else f"it could not be copied: {error.strerror}"
        return replace(reading, why="unavailable", reason=printable(told).rstrip("."))
    about = {
        "path": str(directory / "content"),
        "into": str(directory),
        "name": info.ref.name,
        "uri": reading.uri,
        "sha256": sha256,
        "bytes": size,
    }
    answer = ask({**request, **about})
    (directory / "content").unlink(missing_ok=True)
    reading = replace(reading, sha256=sha256, bytes=size)
    if answer.pop("status") == "refused":
        return replace(reading, why=answer["why"], reason=printable(answer["reason"]))
    return replace(reading, **{**answer, "notes": tuple(map(printable, answer["notes"]))})


def copied(connector: DataConnector, info: ResourceInfo, path: Path, limits: Limits) -> tuple[str, int]:
    """Copy a resource's content to `path`: its SHA-256 and its size.

    Raises Refused when it has more bytes than the limits allow (before it is read, where the source knows), and
    ConnectorError.
    """
    if info.bytes is not None and info.bytes > limits.bytes:
        raise Refused("too_large", f"it has {info.bytes} bytes, more than {limits.bytes}")
    digest, size = hashlib.sha256(), 0
    with connector.open(info.ref) as stream, open(path, "wb") as out:
        while part := stream.read(_PART):
            size += len(part)
            if size > limits.bytes:
                raise Refused("too_large", f"it has more than {limits.bytes} bytes")
            digest.update(part)
            out.write(part)
    return digest.hexdigest(), size
