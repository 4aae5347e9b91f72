"""What a chain reads before anybody is asked: its documents as units on the disk, and the chunks of its indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.contracts.chain import Chunking
from strata_git.errors import printable
from strata_git.pipeline.chain.indexes import FOLDER, Gathered, chunks_of_run, gather
from strata_git.pipeline.chain.plan import Plan, ReadyIndex
from strata_git.pipeline.chain.units import Texts, unit_of
from strata_git.pipeline.errors import ProcessingError
from strata_git.pipeline.process import SOURCES, Account, engine_of, plan_of
from strata_git.pipeline.sources.connector import DataConnector

if TYPE_CHECKING:
    from strata_git.pipeline.documents.reading import Reading


@dataclass(frozen=True, slots=True)
class Documents:
    """What was read: the units to begin with, how many, the account of all sources, and the chunks of indexes."""

    first: Path
    chunks: int
    account: Account
    texts: Texts
    indexes: Mapping[str, tuple[Gathered, Account | None]]

    @property
    def left_out(self) -> list[dict[str, object]]:
        """Documents that could not be read, those of indexes among them."""
        accounts = [self.account, *(account for _, account in self.indexes.values() if account is not None)]
        return [one for account in accounts for one in account.left_out]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the plan, scratch of its own, the workspace, and a run's context (or somebody who has no run)."""

    plan: Plan
    scratch: Path
    root: Path
    context: Any
    environ: Mapping[str, str]

    def read(self) -> Documents:
        """All documents as units, and sources.jsonl among the artifacts; the chunks of indexes before them.

        Raises ProcessingError where there is nothing to read, StrataError where a source cannot be listed.
        """
        indexes = {name: self._index(name, ready) for name, ready in self.plan.indexes.items()}
        chain, directory = self.plan.chain, self.context.artifact_dir
        account, texts, first = Account(directory), Texts(self.scratch), self.scratch / "units.jsonl"
        # what the chain leaves unsaid, the settings say
        chunking = chain.chunking if "chunking" in chain.model_fields_set else None
        asked, source, chunks = chain.inputs, self.plan.source, 0
        with open(first, "wb") as out:
            for reading in self._readings(source, asked.select, asked.exclude, asked.limit, chunking, account):
                document = reading.document()
                if self.plan.reads_documents:
                    texts.put(document)
                for chunk in reading.pieces():
                    out.write(unit_of(chunk, document).line())
                    chunks += 1
        _require(account, asked.connector)
        return Documents(first, chunks, account, texts, indexes)

    def _index(self, name: str, ready: ReadyIndex) -> tuple[Gathered, Account | None]:
        directory = self.context.artifact_dir / FOLDER / name
        if ready.artifacts is not None:
            return gather(name, ready.index, directory, chunks_of_run(ready.index, ready.artifacts)), None
        directory.mkdir(parents=True)
        account = Account(directory, f"{FOLDER}/{name}/")
        found = gather(name, ready.index, directory, self._pieces(ready, account))
        return found, account

    def _pieces(self, ready: ReadyIndex, account: Account) -> Iterator[tuple[dict[str, Any], int]]:
        index = ready.index
        assert ready.source is not None  # noqa: S101 - it has a connector, or else a run
        for reading in self._readings(ready.source, index.select, index.exclude, index.limit, index.chunking, account):
            document = reading.document()
            about = {"document": document.name, "sha256": document.sha256, "uri": document.uri}
            for chunk in reading.pieces():
                place = {"id": chunk.id, "index": chunk.index, "start": chunk.start, "end": chunk.end}
                yield {**place, **about, "text": chunk.text}, chunk.tokens
        _require(account, index.connector or "")

    def _readings(
        self, source: DataConnector, select: Sequence[str], exclude: Sequence[str], limit: int | None,
        chunking: Chunking | None, account: Account,
    ) -> Iterator[Reading]:  # fmt: skip
        """Documents that could be read; all are accounted for, in sources.jsonl of the account's directory."""
        from strata_git.pipeline.documents.ocr.engines import engine
        from strata_git.pipeline.documents.reading import read

        pipelines = self.plan.pipelines
        how = plan_of({} if chunking is None else {"chunking": chunking.model_dump()}, pipelines, self.root)
        engine(how.ocr, how.languages, how.limits.seconds, self.environ)  # refuses before anything is read
        jobs = pipelines.execution.jobs or 1
        where = engine_of(pipelines.execution, jobs)
        found = islice(source.list(select, exclude), limit)
        with open(account.directory / SOURCES, "wb") as sources:
            for reading in read(source, found, how, environ=self.environ, scratch=self.scratch, jobs=jobs, **where):
                sources.write(account.note(reading))
                if reading.why:
                    self.context.log(f"left out: {reading.name}: {reading.reason}")
                else:
                    yield reading
                self.context.progress(account.total, None)


def _require(account: Account, connector: str) -> None:
    if not account.total:
        name = printable(connector)
        raise ProcessingError(
            f"Nothing in the connector {name} fits.", kind="not_found", hint=f"git strata connect ls {name}"
        )
