"""A chain made ready: every name that it uses looked up, every prompt verified, before anything is read or paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from strata_git.contracts.chain import Chain, ChunkIndex, Retrieve, Step
from strata_git.contracts.pipeline import Inference, Pipelines
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.pipeline.chain.scope import paths
from strata_git.pipeline.models.catalog import entry, open_embeddings
from strata_git.pipeline.models.structured import require_schema
from strata_git.pipeline.prompts import Prompt, open_prompt
from strata_git.pipeline.retrieval.nearest import require_numpy
from strata_git.pipeline.secrets.resolve import Source
from strata_git.pipeline.sinks.catalog import exporter
from strata_git.pipeline.sinks.exporter import Exporter
from strata_git.pipeline.sources.catalog import connect
from strata_git.pipeline.sources.connector import DataConnector
from strata_git.repo.command import Repository

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A step that was looked through."""

    step: Step

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """What its expressions name."""
        return _said(self.step)

    @property
    def name(self) -> str:
        """Under which its answers are found."""
        return self.step.output or self.step.id


@dataclass(frozen=True, slots=True)
class Ready(Planned):
    """A step with all that it names."""

    prompt: Prompt
    inference: Inference
    gathers: bool


@dataclass(frozen=True, slots=True)
class Lookup(Planned):
    """A step that looks into an index; `inference` is the entry that embeds the question."""

    retrieve: Retrieve
    inference: Inference
    gathers: bool


@dataclass(frozen=True, slots=True)
class ReadyIndex:
    """An index with what it is made of: a connector, or the verified artifacts of a run."""

    index: ChunkIndex
    inference: Inference
    source: DataConnector | None
    artifacts: Path | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A chain with all that it names; `sinks` by name, those of its outputs; `indexes` those that steps look into."""

    chain: Chain
    steps: tuple[Ready | Lookup, ...]
    source: DataConnector
    sinks: Mapping[str, Exporter]
    pipelines: Pipelines
    indexes: Mapping[str, ReadyIndex] = field(default_factory=dict)

    @property
    def asking(self) -> tuple[Ready, ...]:
        """The steps that ask a prompt."""
        return tuple(one for one in self.steps if isinstance(one, Ready))

    @property
    def prompts(self) -> list[dict[str, str]]:
        """The prompt versions, as run.yaml cites them."""
        cited = {one.prompt.reference: one.prompt for one in self.asking}
        return [
            {"ref": ref, "digest": prompt.digest, "content_hash": prompt.content_hash} for ref, prompt in cited.items()
        ]

    @property
    def at_once(self) -> int:
        """How many chunks are worked on at the same time: what the chain asks for, within the platform's bounds."""
        return min(self.chain.concurrency, self.pipelines.execution.concurrency or self.chain.concurrency)

    @property
    def reads_documents(self) -> bool:
        """Whether some step wants a document's whole text."""
        return any(path[:2] == ("document", "text") for one in self.steps for path in one.paths)


def planned(
    chain: Chain, repo: Repository, pipelines: Pipelines, *, root: Path, secrets: Source, environ: Mapping[str, str]
) -> Plan:
    """The chain made ready. Nothing is asked of the network but secrets, of those who keep them.

    Raises StrataError that names all that is missing or does not fit, MissingExtra for packages.
    """
    wrong: list[str] = []
    steps = [
        one
        for step in chain.steps
        if (one := _tried(wrong, f"step '{step.id}'", _ready, step, repo, pipelines, chain=chain))
    ]
    place = {"root": root, "secrets": secrets, "environ": environ}
    indexes: dict[str, ReadyIndex] = {}
    for name in dict.fromkeys(step.retrieve.index for step in chain.steps if step.retrieve is not None):
        if found := _tried(wrong, f"index '{name}'", _ready_index, chain.index[name], repo, pipelines, **place):
            indexes[name] = found
    source = _tried(wrong, "inputs", connect, pipelines, chain.inputs.connector, **place)
    names = dict.fromkeys(output.export for output in chain.outputs if output.export is not None)
    sinks = {name: sink for name in names if (sink := _tried(wrong, "outputs", exporter, pipelines, name, **place))}
    for ready in steps:
        if isinstance(ready, Ready) and ready.inference.key is not None:
            _tried(wrong, f"step '{ready.step.id}'", secrets.get, ready.inference.key)
    if wrong or source is None:
        told = list(dict.fromkeys(wrong))
        if len(told) == 1:
            raise StrataError(f"The chain '{chain.name}' cannot run: {told[0]}")
        raise StrataError(f"The chain '{chain.name}' cannot run, for {len(told)} reasons: {' '.join(told)}")
    return Plan(chain, tuple(steps), source, sinks, pipelines, indexes)


def _tried(wrong: list[str], where: str, look_up: Callable[..., T], *said: Any, **place: Any) -> T | None:
    """What `look_up` finds; None when it does not, and the reason is noted. A missing extra is told at once."""
    try:
        return look_up(*said, **place)
    except MissingExtra:
        raise
    except StrataError as error:
        wrong.append(f"{where}: {' '.join([error.message, *error.hint.splitlines()])}")
        return None


def _ready(step: Step, repo: Repository, pipelines: Pipelines, *, chain: Chain) -> Ready | Lookup:
    gathers = any(path[0] == "all" for path in _said(step))
    if step.retrieve is not None:
        return Lookup(step, step.retrieve, entry(pipelines, chain.index[step.retrieve.index].embeddings), gathers)
    prompt = open_prompt(repo, step.prompt or "")
    body = prompt.body
    declared = {one.name: one for one in body.variables}
    missing = [name for name, one in declared.items() if one.default is None and name not in step.input]
    unknown = [name for name in step.input if name not in declared]
    if missing or unknown:
        told = [f"input lacks '{name}'" for name in missing]
        told += [f"input gives '{printable(name)}', which {step.prompt} does not declare" for name in unknown]
        raise StrataError(f"{'; '.join(told)}.")
    if body.schema_of_answer is not None:
        require_schema(body.schema_of_answer, f"{prompt.artifact.path}/prompt.yaml: parameters.schema")
    return Ready(step, prompt, entry(pipelines, step.inference), gathers)


def _ready_index(
    index: ChunkIndex,
    repo: Repository,
    pipelines: Pipelines,
    *,
    root: Path,
    secrets: Source,
    environ: Mapping[str, str],
) -> ReadyIndex:
    require_numpy()
    settings = entry(pipelines, index.embeddings)
    open_embeddings(pipelines, index.embeddings, dimensions=index.dimensions, secrets=secrets, environ=environ)
    if index.run is not None:
        return ReadyIndex(index, settings, None, _artifacts_of(repo, index.run))
    name = index.connector or ""
    return ReadyIndex(index, settings, connect(pipelines, name, root=root, secrets=secrets, environ=environ), None)


def _artifacts_of(repo: Repository, run: str) -> Path:
    """Where the chunks of a run of `process` are, its files verified. The run is in HEAD: the record cites it."""
    from strata_git.contracts.layout import CHECKSUMS, parse_reference
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_files
    from strata_git.runs.inputs import committed_digests

    digest, _ = committed_digests(repo, parse_reference(run).artifact("run"))
    home = repo.require_worktree() / "runs" / run
    wanted = [f"artifacts/{name}" for name in ("documents.jsonl", "chunks.jsonl")]
    try:
        text = (home / CHECKSUMS).read_bytes()
        listed = checksums.parse(text) if checksums.digest(text) == digest else {}
        hashed = {path: sha256 for path, sha256, _ in sha256_files(wanted, root=home)}
    except (OSError, StrataError, checksums.ChecksumError):
        hashed, listed = {}, {}
    if not hashed:
        raise StrataError(
            f"The work tree has no chunks of {run}.", hint="It must be a run of git strata process, checked out here."
        )
    for path, sha256 in hashed.items():
        if listed.get(path) != sha256:
            raise StrataError(
                f"runs/{run}/{path} is not what {CHECKSUMS} lists.",
                hint=f"Is it a pointer? git lfs pull. Else: git strata verify {run}",
            )
    return home / "artifacts"


def _said(step: Step) -> list[tuple[str, ...]]:
    when = [] if step.when is None else paths(step.when.value)
    query = [] if step.retrieve is None else paths(step.retrieve.query)
    return [*paths(dict(step.input)), *query, *when]
