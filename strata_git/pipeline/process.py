"""The plugin `process`: documents of a connector as text and chunks, in a run's record.

It writes `documents.jsonl` and `chunks.jsonl` (a line each), `sources.jsonl` (what was read, by digest), `report.json`
and `report.md` (what was left out, and why). None of them depends on the time, the machine, or how many workers there
were.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from strata_git.errors import StrataError, UsageError, printable
from strata_git.pipeline.errors import ProcessingError
from strata_git.runs.plugin import Metric, RunContext, RunResult

if TYPE_CHECKING:
    from strata_git.contracts.pipeline import Execution, Pipelines
    from strata_git.pipeline.documents.reading import Plan, Reading
    from strata_git.runs.spec import RunSpec

DOCUMENTS, CHUNKS, SOURCES = "documents.jsonl", "chunks.jsonl", "sources.jsonl"
REPORT, REPORT_PAGE = "report.json", "report.md"
LISTED = 500
"""So many sources stand in run.yaml one by one; of more, it names the list."""
PARAMS = frozenset({
    "connector", "select", "exclude", "limit", "chunking", "ocr", "max_bytes", "timeout_s", "memory_mb", "jobs",
    "engine", "scheduler", "settings", "profile",
})  # fmt: skip


class ProcessPlugin:
    """Documents of a connector, as text and chunks."""

    name = "process"
    requires: Mapping[str, Sequence[str]] = {"pipeline": ("lxml", "toktok", "pyarrow", "PIL")}

    def check(self, spec: RunSpec) -> None:
        """Raise UsageError for parameters that nobody knows."""
        unknown = sorted(set(spec.params) - PARAMS)
        if unknown:
            known = ", ".join(sorted(PARAMS))
            raise UsageError(f"params.{printable(unknown[0])}: the plugin process has no such parameter.", hint=known)
        if not isinstance(spec.params.get("connector"), str):
            raise UsageError("params.connector: which connector of strata.yaml?", hint="params: {connector: docs}")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Read all that is selected."""
        from strata_git.pipeline.documents.ocr.engines import engine
        from strata_git.pipeline.documents.reading import read
        from strata_git.pipeline.secrets.resolve import Secrets
        from strata_git.pipeline.settings import load
        from strata_git.pipeline.sources.catalog import connect

        root, params = context.workspace or Path.cwd(), spec.params
        pipelines = load(root, context.environ, params.get("settings", ()), params.get("profile")).pipelines
        plan = plan_of(params, pipelines, root)
        engine(plan.ocr, plan.languages, plan.limits.seconds, context.environ)  # refuses before anything is read
        secrets = Secrets(pipelines.keys, context.environ, root, context.mask)
        source = connect(pipelines, params["connector"], root=root, secrets=secrets, environ=context.environ)
        found = source.list(_words(params.get("select")), _words(params.get("exclude")))
        account = Account(context.artifact_dir)
        execution = pipelines.execution
        jobs = int(params.get("jobs") or execution.jobs or spec.resources.get("cpus") or 1)
        where = engine_of(execution, jobs, params)
        scratch = root / execution.scratch if execution.scratch else None
        with account.opened() as files:
            chosen = islice(found, params.get("limit"))
            for reading in read(source, chosen, plan, environ=context.environ, jobs=jobs, scratch=scratch, **where):
                account.add(reading, files)
                if reading.why:
                    context.log(f"left out: {reading.name}: {reading.reason}")
                context.progress(account.total, None)
        if not account.total:
            raise ProcessingError(
                f"Nothing in the connector {printable(params['connector'])} fits.",
                kind="not_found",
                hint=f"git strata connect ls {printable(params['connector'])}",
            )
        account.report(params, plan)
        return RunResult(account.metrics(), inputs=account.inputs(params["connector"]))


def engine_of(execution: Execution, jobs: int, params: Mapping[str, Any] = MappingProxyType({})) -> dict[str, str]:
    """Where documents are read: what `params` say, else the section `execution`; as `documents.reading.read` takes it.

    Raises UsageError for what cannot be asked of an engine, MissingExtra for one that is not installed.
    """
    from strata_git.runs.engines import require_engine

    engine = str(params.get("engine") or execution.engine)
    scheduler = str(params.get("scheduler") or (execution.scheduler if engine == execution.engine else "") or "")
    require_engine(engine, jobs, scheduler)
    return {"engine": engine, "scheduler": scheduler}


def plan_of(params: Mapping[str, Any], pipelines: Pipelines, root: Path) -> Plan:
    """How documents are read: what `params` say, else the section `processing`. Raises UsageError."""
    from pydantic import ValidationError

    from strata_git.contracts.pipeline import Processing
    from strata_git.pipeline.documents.limits import Limits
    from strata_git.pipeline.documents.reading import Plan

    given = {key: params[key] for key in ("chunking", "ocr", "max_bytes", "timeout_s", "memory_mb") if key in params}
    try:
        asked = Processing.model_validate({**pipelines.processing.model_dump(exclude_unset=True), **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"params.{printable(place)}: {printable(first['msg'])}.") from None
    limits = Limits.of(asked.max_bytes, seconds=float(asked.timeout_s), memory=asked.memory_mb << 20)
    return Plan(asked.chunking, asked.ocr.engine, asked.ocr.languages, limits, lambda uri: shown(uri, root))


def shown(uri: str, root: Path) -> str:
    """A resource's URI as records have it: a file of the workspace by its path there, so that clones agree."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and not parts.netloc:
        path = unquote(parts.path, errors="surrogateescape")
        inside = f"{root.resolve()}/"
        if path.startswith(inside):
            return printable(path.removeprefix(inside))
    return printable(uri)


@dataclass(slots=True)
class Account:
    """What was read and what was not, counted while it goes by; `folder` is the directory's place in the artifacts."""

    directory: Path
    folder: str = ""
    total: int = 0
    size: int = 0
    characters: int = 0
    chunks: int = 0
    tokens: int = 0
    exact: bool = True
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: list[dict[str, object]] = field(default_factory=list)
    noted: list[dict[str, object]] = field(default_factory=list)
    sources: list[dict[str, object]] = field(default_factory=list)

    def opened(self) -> _Files:
        """The files that grow with the documents, for a `with`."""
        return _Files(self.directory)

    def add(self, reading: Reading, files: _Files) -> None:
        """One more resource, read or not."""
        from strata_git.pipeline.documents import worker

        files.put(SOURCES, self.note(reading))
        if not reading.why:
            files.take(DOCUMENTS, reading.directory / worker.DOCUMENT)
            files.take(CHUNKS, reading.directory / worker.CHUNKS)

    def note(self, reading: Reading) -> bytes:
        """Count one more resource, read or not; its line of sources.jsonl."""
        self.total += 1
        about = _source(reading)
        if len(self.sources) <= LISTED:
            self.sources.append(about)
        if reading.why:
            told = {"document": reading.name, "why": reading.why, "reason": reading.reason}
            self.left_out.append(told | ({"bytes": reading.bytes, "sha256": reading.sha256} if reading.sha256 else {}))
            return _line(_lasting(about, reading))
        self.kinds[reading.type] += 1
        self.size += reading.bytes
        self.characters += reading.characters
        self.chunks += reading.chunks
        self.tokens += reading.tokens
        self.exact = self.exact and reading.exact
        if reading.notes:
            self.noted.append({"document": reading.name, "notes": list(reading.notes)})
        return _line(_lasting(about, reading))

    def metrics(self) -> dict[str, Metric]:
        """The counts, for metrics.json."""
        counted = {
            "documents": self.total - len(self.left_out), "chunks": self.chunks, "tokens": self.tokens,
            "characters": self.characters, "bytes": self.size,
        }  # fmt: skip
        told = {name: Metric(float(count)) for name, count in counted.items()}
        return told | {"left_out": Metric(float(len(self.left_out)), direction="lower")}

    def inputs(self, connector: str) -> list[dict[str, object]]:
        """What run.yaml says of the sources: each, or of many the list by its digest."""
        if len(self.sources) <= LISTED:
            return self.sources
        import hashlib

        with open(self.directory / SOURCES, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = (self.directory / SOURCES).stat().st_size
        said = f"{self.total} documents, listed in artifacts/{self.folder}{SOURCES}"
        return [{"uri": f"connector:{connector}", "name": said, "sha256": digest, "bytes": size}]

    def report(self, params: Mapping[str, Any], plan: Plan) -> None:
        """Write report.json and report.md."""
        from strata_git.pipeline.documents.tokens import tokenizer
        from strata_git.pipeline.process_report import page

        counter = tokenizer(plan.chunking.tokenizer)
        told = {
            "schema": "strata/process-report/v1",
            "connector": params["connector"],
            "select": _words(params.get("select")),
            "exclude": _words(params.get("exclude")),
            "chunking": plan.chunking.model_dump(exclude_none=True),
            "tokenizer": {"name": counter.name, "counted_by": counter.encoding or "characters", "exact": counter.exact},
            "ocr": {"engine": plan.ocr, "languages": list(plan.languages) if plan.ocr != "none" else []},
            "documents": self.total - len(self.left_out),
            "chunks": self.chunks,
            "tokens": self.tokens,
            "characters": self.characters,
            "bytes": self.size,
            "kinds": dict(sorted(self.kinds.items())),
            "left_out": self.left_out,
            "noted": self.noted,
        }
        text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
        (self.directory / REPORT).write_text(text, encoding="utf-8")
        (self.directory / REPORT_PAGE).write_text(page(told), encoding="utf-8")


class _Files:
    """Open files by name below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> _Files:
        for name in (DOCUMENTS, CHUNKS, SOURCES):
            self._open[name] = open(self._directory / name, "wb")
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._open.values():
            stream.close()

    def put(self, name: str, line: bytes) -> None:
        """Add a line."""
        self._open[name].write(line)

    def take(self, name: str, path: Path) -> None:
        """Add a whole file's content."""
        with open(path, "rb") as stream:
            shutil.copyfileobj(stream, self._open[name], 1 << 20)


def _source(reading: Reading) -> dict[str, object]:
    """What the source said, and what was read."""
    info = reading.info
    told: dict[str, object] = {"uri": reading.uri[:2000], "name": reading.name[:200]}
    if reading.sha256:
        told |= {"sha256": reading.sha256, "bytes": reading.bytes}
    for key, mark in (("etag", info.etag), ("version", info.version)):
        told |= {key: printable(mark)[:200]} if mark else {}
    return told | ({"modified": info.modified.strftime("%Y-%m-%dT%H:%M:%SZ")} if info.modified else {})


def _lasting(about: Mapping[str, object], reading: Reading) -> dict[str, object]:
    """That without what only this machine says: a file's marks are those of its copy here."""
    local = reading.info.ref.uri.startswith("file:")
    return {key: value for key, value in about.items() if not (key == "modified" or (local and key == "etag"))}


def _line(data: Mapping[str, object]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _words(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        raise StrataError("params.select and params.exclude are lists of patterns.")
    return [str(one) for one in value]


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of one of the files above."""
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)
