"""An index whose parts are found when they are asked for, and remembered for the state the repository is in."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import KINDS, Artifact, parse_reference
from strata_git.index import frozen
from strata_git.index.records import UNVERIFIED, ArtifactRecord, Index, Introduction, Removed, StageRecord
from strata_git.index.slots import Slots
from strata_git.index.store import Store

if TYPE_CHECKING:
    from strata_git.checks.finding import Finding
    from strata_git.doctor.cache import Cache
    from strata_git.index.additions import Addition
    from strata_git.index.reading import Placed, Read
    from strata_git.index.stages import Stages
    from strata_git.repo.command import Repository

Progress = Callable[[int], None]
_SINGLY = 8
"""Records (or names) that are read one by one before all of their kind are read together."""


def order(artifact: Artifact) -> tuple[str, str, int]:
    """How artifacts are listed: by kind and name, versions by number."""
    return artifact.kind, artifact.name, artifact.number


@dataclass(slots=True)
class Case:
    """What an index is read from: the commit it is of, where answers are remembered, and how others are found.

    `stages` reads the ledger, for the workspace whose UUID it may ask for; `cache` opens the remembered verdicts.
    """

    repo: Repository
    commit: str
    store: Store
    slots: Slots
    cache: Callable[[], Cache]
    stages: Callable[[Callable[[], str]], Stages]
    progress: Progress | None = None


class LazyIndex(Index):
    """An `Index` of which nothing is read before it is asked for; what is asked for may raise StrataError."""

    __slots__ = ("__dict__", "__weakref__")
    __hash__ = None  # type: ignore[assignment]
    _case: Case
    _kinds: dict[str, tuple[ArtifactRecord, ...]]
    _names: dict[str, tuple[ArtifactRecord, ...]]
    _single: dict[str, tuple[ArtifactRecord, ...]]
    _sure: bool

    def __new__(cls, *values: Any, case: Case | None = None, **named: Any) -> Any:
        """A copy with other values (`dataclasses.replace`) is an `Index` like any other."""
        return Index(*values, **named) if case is None else super().__new__(cls)

    def __init__(self, *, case: Case) -> None:
        self.__dict__.update(_case=case, _kinds={}, _single={}, _names={}, _sure=True)
        weakref.finalize(self, case.store.close)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Index):
            return NotImplemented
        return all(getattr(self, each.name) == getattr(other, each.name) for each in fields(Index))

    @property
    def is_sure(self) -> bool:
        """Whether all that was read so far stays true for as long as the repository stays as it is."""
        return self._sure

    @property
    def revision(self) -> str:
        """The commit."""
        return self._case.commit

    # -- records -----------------------------------------------------------------------------------------------------

    @cached_property
    def artifacts(self) -> tuple[ArtifactRecord, ...]:
        """Every record of the revision, in order."""
        return tuple(record for kind in sorted(KINDS.values()) for record in self.of_kind(kind))

    def held(self) -> tuple[Artifact, ...]:
        """The artifacts of the revision, in order; no file is read."""
        return tuple(self.trees)

    def of_kind(self, kind: str) -> tuple[ArtifactRecord, ...]:
        """The records of one kind; those of others are not read."""
        if kind not in self._kinds:
            self._kinds[kind] = self._records(f"kind.{kind}", lambda artifact: artifact.kind == kind)
        return self._kinds[kind]

    def named(self, name: str) -> tuple[ArtifactRecord, ...]:
        """The records of one name; others are not read."""
        if name not in self._names and len(self._names) < _SINGLY and len(self._kinds) < len(KINDS):
            self._names[name] = self._records(f"name/{name}", lambda artifact: artifact.name == name)
        known = self._names.get(name)
        return known if known is not None else super().named(name)

    def get(self, reference: str) -> ArtifactRecord | None:
        """The record of exactly `reference`; others are not read."""
        try:
            meant = parse_reference(reference)
        except ValueError:
            return None
        artifact = Artifact(meant.kind or "", meant.name, meant.version or "")
        if meant.kind is None or meant.stage is not None or artifact.reference != reference:
            return None
        if reference not in self._single and artifact.kind not in self._kinds and len(self._single) < _SINGLY:
            self._single[reference] = self._records(f"one/{reference}", lambda other: other == artifact)
        if reference in self._single:
            return next(iter(self._single[reference]), None)
        return self._references(artifact.kind).get(reference)

    def citing(self, reference: str) -> tuple[ArtifactRecord, ...]:
        """The records that name `reference` as an input, a parent or their run, in order."""
        named = self._citations.get(reference, ())
        return tuple(record for name in named if (record := self.get(name)) is not None)

    @cached_property
    def elsewhere(self) -> tuple[ArtifactRecord, ...]:
        """What the revision lacks and other branches, tags or the past have."""
        found = self._remembered("elsewhere", lambda: self.lacking)
        events = [event for event in self.events if event.current] if found else []
        staged = {(event.model, event.digest): event.stage for event in events}
        return tuple(
            replace(record, stages=(stage,)) if (stage := staged.get((record.artifact, record.digest))) else record
            for record in found
        )

    # -- what lies around them ---------------------------------------------------------------------------------------

    @cached_property
    def removed(self) -> tuple[Removed, ...]:
        """What only the history of the revision has."""
        kept = self._case.slots.recall("removed")
        if kept is not None:
            return tuple(frozen.to_removed(row) for row in kept)
        if not self._gone:
            return ()
        from strata_git.index.origins import read_introductions

        commits = {artifact: self._commit(artifact) for artifact in self._gone}
        asked = {oid for oid in commits.values() if oid and oid not in self._boundary}
        introductions = read_introductions(self._case.repo, asked)
        found = tuple(Removed(artifact, introductions.get(commits[artifact] or "")) for artifact in self._gone)
        self._case.slots.keep("removed", [frozen.from_removed(gone) for gone in found])
        return found

    @property
    def events(self) -> tuple[StageRecord, ...]:
        """Every event of the ledger."""
        return self._stages.events

    @property
    def complaints(self) -> Mapping[str, tuple[Finding, ...]]:
        """What is wrong with events, by model."""
        return self._stages.complaints

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong between artifacts."""
        kept = self._case.slots.recall("findings")
        if kept is not None:
            return frozen.to_findings(kept)
        from strata_git.index.reading import judge_references

        whole = all(record.complete for record in self.artifacts)  # also reads them in order, with progress
        cache = self._case.cache()
        try:
            found = judge_references(self._case.repo, cache, self.trees, self._gone)
        finally:
            cache.close()
        if whole:
            self._case.slots.keep("findings", frozen.from_findings(found))
        return found

    @cached_property
    def commits(self) -> Mapping[str, Introduction]:
        """The commits that runs name as their code and that are here."""
        from strata_git.index.origins import read_others

        return read_others(self._case.repo, {run.code.commit for run in self.of_kind("run") if run.code})

    @cached_property
    def shallow(self) -> bool:
        """Whether history was cut off when this clone was made."""
        return bool(self._boundary)

    @cached_property
    def trees(self) -> Mapping[Artifact, str]:
        """The artifacts of the revision with their tree ids, in order; no file is read."""
        from strata_git.index.trees import artifact_trees

        found = artifact_trees(self._case.repo, self.revision)
        return {artifact: found[artifact] for artifact in sorted(found, key=order)}

    @cached_property
    def lacking(self) -> tuple[Placed, ...]:
        """What `elsewhere` holds: each artifact, its tree id, and the commit that first added it; no file is read."""
        from strata_git.index.elsewhere import find_elsewhere

        case = self._case
        return tuple(find_elsewhere(case.repo, case.store, self.revision, self.trees, case.progress))

    @cached_property
    def history(self) -> Mapping[str, Addition]:
        """Path of each artifact that this history ever had -> its first addition; no file is read."""
        from strata_git.index.additions import read_history

        return read_history(self._case.repo, self._case.store, self.revision, self._case.progress)

    def document(self) -> bytes:
        """The whole index as JSON (schema strata/index/v1), in UTF-8."""
        kept = self._case.slots.recall_bytes("document")
        if kept is not None:
            return kept
        from strata_git.index.export import index_document
        from strata_git.load import dump_json

        made = dump_json(index_document(self))
        if self._sure:
            self._case.slots.keep_bytes("document", made)
        return made

    # -- reading -----------------------------------------------------------------------------------------------------

    @cached_property
    def _boundary(self) -> frozenset[str]:
        from strata_git.index.origins import read_boundary

        return read_boundary(self._case.repo)

    @cached_property
    def _gone(self) -> tuple[Artifact, ...]:
        from strata_git.contracts.layout import artifact_of

        here = {artifact.path for artifact in self.trees}
        gone = (artifact_of(f"{path}/x") for path in self.history if path not in here)
        return tuple(sorted((artifact for artifact in gone if artifact is not None), key=order))

    def _commit(self, artifact: Artifact) -> str | None:
        addition = self.history.get(artifact.path)
        return addition.commit if addition else None

    @cached_property
    def _workspace(self) -> str:
        """The UUID of the workspace, as the revision has it."""
        from strata_git.contracts.layout import SETTINGS
        from strata_git.doctor.settings import settings_in
        from strata_git.repo.tree import commit_tree

        cache = self._case.cache()
        try:
            return settings_in(commit_tree(self._case.repo, self.revision, [SETTINGS]), cache).repository
        finally:
            cache.close()

    @cached_property
    def _stages(self) -> Stages:
        from strata_git.index.stages import Stages

        kept = self._case.slots.recall("stages")
        if kept is not None:
            events, placed, complaints = kept
            return Stages(
                tuple(frozen.to_event(row) for row in events),
                {Artifact(*artifact): stage for artifact, stage in placed},
                frozen.to_complaints(complaints),
            )
        told = self._case.stages(lambda: self._workspace)
        self._case.slots.keep("stages", [
            [frozen.from_event(event) for event in told.events],
            [[frozen.from_artifact(artifact), stage] for artifact, stage in told.placed.items()],
            frozen.from_complaints(told.complaints),
        ])  # fmt: skip
        return told

    def _references(self, kind: str) -> Mapping[str, ArtifactRecord]:
        name = f"_by_{kind}"
        if name not in self.__dict__:
            self.__dict__[name] = {record.reference: record for record in self.of_kind(kind)}
        known: Mapping[str, ArtifactRecord] = self.__dict__[name]
        return known

    @cached_property
    def _citations(self) -> Mapping[str, Collection[str]]:
        """What is cited -> who cites it, in order."""
        kept = self._case.slots.recall("citations")
        if kept is not None:
            return dict(kept)
        found: dict[str, list[str]] = {}
        for record in self.artifacts:
            for name in dict.fromkeys([*(cited.reference for cited in record.inputs), record.run or ""]):
                found.setdefault(name, []).append(record.reference)
        if all(record.complete for record in self.artifacts):
            self._case.slots.keep("citations", found)
        return found

    def _records(self, part: str, fits: Callable[[Artifact], bool]) -> tuple[ArtifactRecord, ...]:
        """Records of this revision, with the stages of models."""

        def wanted() -> list[Placed]:
            chosen = [(artifact, tree) for artifact, tree in self.trees.items() if fits(artifact)]
            return [(artifact, tree, self._commit(artifact)) for artifact, tree in chosen]

        found = self._remembered(part, wanted)
        if not any(record.artifact.kind == "model" for record in found):
            return found
        placed = self._stages.placed
        return tuple(
            replace(record, stages=(placed[record.artifact],)) if record.artifact in placed else record
            for record in found
        )

    def _remembered(self, part: str, wanted: Callable[[], Iterable[Placed]]) -> tuple[ArtifactRecord, ...]:
        """Records without stages: those of this state, or read; what is settled is taken from an earlier state."""
        from strata_git.checks.catalog import RULESET

        kept = self._case.slots.recall(part)
        if kept is not None:
            return tuple(frozen.to_record(row) for row, _ in kept["records"])
        earlier = self._case.slots.earlier(part) if "/" not in part else None
        rows = earlier["records"] if earlier is not None and earlier["rules"] == RULESET else ()
        settled = (frozen.to_record(row) for row, is_settled in rows if is_settled)
        reads = self._read_all(wanted(), {(record.artifact, record.tree): record for record in settled})
        found = tuple(read.record for read in reads)
        unsure = any(not r.complete or any(s.status == UNVERIFIED for s in r.signers) for r in found)
        self.__dict__["_sure"] = self._sure and not unsure
        if not unsure:
            rows = [[frozen.from_record(read.record), read.settled] for read in reads]
            self._case.slots.keep(part, {"rules": RULESET, "records": rows})
        return found

    def _read_all(self, wanted: Iterable[Placed], settled: Mapping[tuple[Artifact, str], ArtifactRecord]) -> list[Read]:
        placed = list(wanted)
        if not placed:
            return []
        from strata_git.index.reading import Reader

        case = self._case
        cache = case.cache()
        try:
            return list(Reader(
                case.repo, cache, repository=self._workspace, boundary=self._boundary, progress=case.progress
            ).read(placed, settled))  # fmt: skip
        finally:
            cache.close()
