"""The plugin `chain`: a chain of prompts over documents, as a run (TFC-0011 section 4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from strata_git.errors import UsageError, printable
from strata_git.runs.plugin import Metric, RunContext, RunResult

if TYPE_CHECKING:
    from strata_git.contracts.chain import Retry
    from strata_git.pipeline.chain.documents import Documents
    from strata_git.pipeline.chain.estimate import Estimate
    from strata_git.pipeline.chain.executor import Work
    from strata_git.pipeline.chain.plan import Plan
    from strata_git.pipeline.errors import PipelineError
    from strata_git.pipeline.models.asking import Client
    from strata_git.pipeline.models.embedding import EmbeddingClient
    from strata_git.pipeline.observability.counters import Counters
    from strata_git.runs.spec import RunSpec

PARAMS = frozenset({"file", "chain", "settings", "profile", "salt"})


class ChainPlugin:
    """A chain of prompts over documents."""

    name = "chain"
    requires: Mapping[str, Sequence[str]] = {"pipeline": ("anyio", "jsonschema", "toktok")}

    def check(self, spec: RunSpec) -> None:
        """Raise StrataError for a chain that breaks its contract, UsageError for parameters that nobody knows."""
        unknown = sorted(set(spec.params) - PARAMS)
        if unknown:
            raise UsageError(f"params.{printable(unknown[0])}: the plugin chain has no such parameter.")
        from strata_git.pipeline.chain.spec import chain_of

        chain_of(spec)

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Read, ask, write, deliver."""
        import anyio

        from strata_git.pipeline.chain import executor, outputs
        from strata_git.pipeline.chain.documents import Reader
        from strata_git.pipeline.models.memory import Memory
        from strata_git.pipeline.observability.counters import Counters

        root = context.workspace or Path.cwd()
        plan, tools = _ready(spec, root, context.environ, context.mask)
        run = {"id": context.run_id, "started": _started(), "seed": spec.seed}
        counters, memory = Counters(), Memory(root)
        try:
            with tools.scratch(root) as scratch, tools.traced() as spans:
                documents = Reader(plan, Path(scratch), root, context, tools.environ).read()
                clients = _Clients(plan, tools, root, memory, counters, spans, context.log)
                steps = _Steps(documents.chunks, plan, context.progress)
                work = executor.Work(
                    plan, clients.get, counters, Path(scratch), documents.texts, run, context.log, steps.done,
                    salt=str(spec.params.get("salt", "")),
                )  # fmt: skip
                last = anyio.run(_performed, work, documents, clients)
                lines = outputs.write(context.artifact_dir, last, work.gathered)
        finally:
            memory.close()
            context.log(f"{counters}")
        result = _result(plan, documents, counters, lines, work)
        _report(context.artifact_dir, plan, documents, work)
        exports = []
        for receipt in outputs.deliver(plan, context.artifact_dir, work.gathered, run):
            context.log(f"sink {receipt.sink}: {receipt.rows} rows, {receipt.written} written to {receipt.uri}")
            counters.add(exported=receipt.written)
            exports.append(outputs.cited(receipt, root))
        return replace(result, exports=exports)


def estimates(
    spec: RunSpec, root: Path, environ: Mapping[str, str], mask: Any
) -> tuple[list[Estimate], dict[str, int]]:
    """What the chain would ask and cost, and how many documents and chunks there are; no model is asked."""
    from strata_git.pipeline.chain.documents import Reader
    from strata_git.pipeline.chain.estimate import estimated

    plan, tools = _ready(spec, root, environ, mask)
    with tools.scratch(root) as scratch:
        (Path(scratch) / "record").mkdir()
        context: Any = _Nobody(Path(scratch) / "record")
        documents = Reader(plan, Path(scratch), root, context, tools.environ).read()
        counts = {"documents": documents.account.total - len(documents.account.left_out), "chunks": documents.chunks}
        gathered = {name: found for name, (found, _) in documents.indexes.items()}
        return estimated(plan, documents.first, gathered), counts


@dataclass(frozen=True, slots=True)
class _Nobody:
    """Whoever estimates has no run."""

    artifact_dir: Path

    def log(self, text: str) -> None:
        """Unheard."""

    def progress(self, done: int, total: int | None = None) -> None:
        """Unwatched."""


@dataclass(frozen=True, slots=True)
class _Tools:
    """What the settings give."""

    secrets: Any
    pipelines: Any
    environ: Mapping[str, str]

    def scratch(self, root: Path) -> TemporaryDirectory[str]:
        """A directory for as long as the chain works, where the settings say."""
        said = self.pipelines.execution.scratch
        if said:
            (root / said).mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix="strata-chain-", dir=root / said if said else None)

    @contextmanager
    def traced(self) -> Iterator[Any]:
        from strata_git.pipeline.observability.redact import Redactor
        from strata_git.pipeline.observability.spans import traced

        with traced(self.pipelines.observability, Redactor(self.secrets.mask), self.secrets) as spans:
            yield spans


def _ready(spec: RunSpec, root: Path, environ: Mapping[str, str], mask: Any) -> tuple[Plan, _Tools]:
    from strata_git.pipeline.chain.plan import planned
    from strata_git.pipeline.chain.spec import chain_of
    from strata_git.pipeline.secrets.resolve import Secrets
    from strata_git.pipeline.settings import load
    from strata_git.repo.command import Repository

    chain = chain_of(spec)
    pipelines = load(root, environ, spec.params.get("settings", ()), spec.params.get("profile")).pipelines
    secrets = Secrets(pipelines.keys, environ, root, mask)
    repo = Repository.discover(root, environ)
    return planned(chain, repo, pipelines, root=root, secrets=secrets, environ=environ), _Tools(
        secrets, pipelines, environ
    )


async def _performed(work: Work, documents: Documents, clients: _Clients) -> Path:
    from strata_git.pipeline.chain.executor import perform, within_budget
    from strata_git.pipeline.chain.indexes import built

    try:
        for name, (gathered, _) in documents.indexes.items():
            client = clients.embedding(name, work.salt)
            work.indexes[name] = await built(gathered, client, lambda: within_budget(work), work.log)
        return await perform(work, documents.first)
    finally:
        await clients.close()


class _Clients:
    """One client for each entry of `inference`, and one more for each way of trying again that a step asks for."""

    def __init__(
        self,
        plan: Plan,
        tools: _Tools,
        root: Path,
        memory: Any,
        counters: Counters,
        spans: Any,
        log: Callable[[str], None],
    ) -> None:
        self._plan, self._tools, self._root = plan, tools, root
        self._memory, self._counters, self._spans, self._log = memory, counters, spans, log
        self._open: dict[str, Client] = {}
        self._variants: dict[tuple[str, Any], Client] = {}
        self._embedding: dict[tuple[str, int | None], EmbeddingClient] = {}

    def get(self, name: str, retry: Retry | None) -> Client:
        from strata_git.pipeline.backoff import Backoff
        from strata_git.pipeline.models.catalog import open_client

        if name not in self._open:
            self._open[name] = open_client(
                self._plan.pipelines, name, root=self._root, secrets=self._tools.secrets,
                environ=self._tools.environ, memory=self._memory, counters=self._counters, spans=self._spans,
                retried=self._retried,
            )  # fmt: skip
        client = self._open[name]
        if retry is None:
            return client
        key = (name, (retry.attempts, retry.wait_ms))
        if key not in self._variants:
            again = Backoff(attempts=retry.attempts, first_s=retry.wait_ms / 1000, retried=client.backoff.retried)
            self._variants[key] = replace(client, backoff=again)
        return self._variants[key]

    def embedding(self, name: str, salt: str) -> EmbeddingClient:
        """Who embeds for an index of the chain."""
        from strata_git.pipeline.models.catalog import open_embeddings

        index = self._plan.indexes[name].index
        key = (index.embeddings, index.dimensions)
        if key not in self._embedding:
            self._embedding[key] = open_embeddings(
                self._plan.pipelines, index.embeddings, dimensions=index.dimensions, secrets=self._tools.secrets,
                environ=self._tools.environ, memory=self._memory, counters=self._counters, spans=self._spans,
                salt=salt, retried=self._retried,
            )  # fmt: skip
        return self._embedding[key]

    async def close(self) -> None:
        for client in self._open.values():
            await client.close()
        for embedding in self._embedding.values():
            await embedding.close()

    def _retried(self, error: PipelineError, wait: float) -> None:
        self._log(f"again in {wait:.1f} s: {error.message}")


class _Steps:
    """How far the chain is, in answers."""

    def __init__(self, chunks: int, plan: Plan, tell: Callable[[int, int | None], None]) -> None:
        each = sum(not one.gathers for one in plan.steps)
        self._total, self._tell, self._done = chunks * each + len(plan.steps) - each, tell, 0

    def done(self) -> None:
        self._done += 1
        self._tell(self._done, self._total)


def _result(plan: Plan, documents: Documents, counters: Counters, lines: int, work: Any) -> RunResult:
    account = documents.account
    counts = {"documents": account.total - len(account.left_out), "chunks": documents.chunks, "outputs": lines}
    metrics = {name: Metric(float(count)) for name, count in counts.items()}
    left = len(documents.left_out) + len(work.left_out)
    metrics["left_out"] = Metric(float(left), direction="lower")
    told = {name: count for name, count in counters.metrics().items() if name in ("calls", "cached", "retries")}
    cost = counters.costs.get("USD")
    if documents.indexes:
        counts["indexed"] = sum(gathered.chunks for gathered, _ in documents.indexes.values())
    return RunResult(
        metrics,
        inputs=_inputs(plan, documents),
        prompts=plan.prompts,
        tokens=counters.tokens,
        counts=counts | {name: int(count) for name, count in told.items()},
        cost=None if cost is None else (float(cost), "USD"),
    )


def _inputs(plan: Plan, documents: Documents) -> list[Mapping[str, object]]:
    """The documents of the chain, and what its indexes were made of."""
    found: list[Mapping[str, object]] = [*documents.account.inputs(plan.chain.inputs.connector)]
    for name, (_, account) in documents.indexes.items():
        index = plan.indexes[name].index
        found += [{"ref": index.run}] if account is None else account.inputs(index.connector or "")
    return found


def _report(directory: Path, plan: Plan, documents: Documents, work: Any) -> None:
    from strata_git.pipeline.chain.plan import Ready

    account = documents.account
    told = {
        "schema": "strata/chain-report/v1",
        "chain": plan.chain.name,
        "documents": account.total - len(account.left_out),
        "chunks": documents.chunks,
        "documents_left_out": documents.left_out,
        "chunks_left_out": sorted(work.left_out, key=lambda one: (one.get("document", ""), one.get("chunk", -1))),
        "steps": [
            {"id": one.step.id, "prompt": one.prompt.reference, "inference": one.step.inference}
            if isinstance(one, Ready) else {"id": one.step.id, "index": one.retrieve.index}
            for one in plan.steps
        ],
    }  # fmt: skip
    text = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
    (directory / "report.json").write_text(text, encoding="utf-8")


def _started() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
