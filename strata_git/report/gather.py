"""From a repository and two revisions to a report: what is asked of history, of the ledger and of the doctor."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from strata_git.checks.plain import dig, mapping, text
from strata_git.contracts.layout import ADDABLE, CHECKSUMS, METADATA, Artifact
from strata_git.doctor.judge import judge_range, require_commit
from strata_git.errors import StrataError
from strata_git.index.build import build
from strata_git.index.records import ArtifactRecord, Cited, Index, Introduction, StageRecord
from strata_git.index.vouch import Verifier, introduction
from strata_git.integrity.checksums import ChecksumError, parse
from strata_git.ledger.governed import LIMIT, METRICS, figures
from strata_git.repo.command import Repository
from strata_git.repo.history import is_shallow, list_commits
from strata_git.repo.tree import commit_tree
from strata_git.report.changes import changes_between
from strata_git.report.doubts import Splits, leakage, lineage_doubts
from strata_git.report.gates import GateRule
from strata_git.report.measures import (
    LONGEST,
    Compared,
    Figures,
    compare,
    figures_of_run,
    histories,
    hold,
    in_production,
    predecessor,
    run_before,
)
from strata_git.report.values import Change, Doubt, Gated, Measured, Report, Series, Size

MOST_COMMITS = 200
"""Commits of a change that are listed."""


def gather(
    repo: Repository, base: str, head: str = "HEAD", *, gates: Sequence[GateRule] = (), against: str = "auto",
    verifier: Verifier | None = None, progress: Callable[[int], None] | None = None,
) -> Report:  # fmt: skip
    """What `head` brings that `base` does not have.

    Artifacts are compared with the commit where the two parted, so that what `base` gained meanwhile does not count as
    removed; the doctor judges every new commit by the settings of `base`. `against` says what new models are measured
    by: `production`, `previous`, or `auto` (production where there is one). Without `verifier` signatures of commits
    are only claimed. Raises StrataError for a revision that is not here.
    """
    first, last = require_commit(repo, base), require_commit(repo, head)
    fork = _fork(repo, first, last)
    before, after = build(repo, fork), build(repo, last)
    case = _Case(repo, before, after, changes_between(before, after, partial(_only_signed, repo)), against)
    commits = list_commits(repo, last, f"^{first}")
    models = [change for change in case.touched if change.kind == "model"]
    notes = ["This clone is shallow: what came before its boundary is not known."] if is_shallow(repo) else []
    if len(commits) > MOST_COMMITS:
        notes.append(f"Only the last {MOST_COMMITS} of {len(commits)} commits are listed; all were judged.")
    return Report(
        first,
        last,
        fork,
        judge_range(repo, first, last, progress=progress),
        case.changes,
        tuple(case.measured()),
        tuple(case.gated(models, gates)),
        tuple(dict.fromkeys(case.doubts(models))),
        tuple(case.series(models)),
        tuple(_events(after, set(commits), case.changes)),
        tuple(_introductions(repo, commits[-MOST_COMMITS:], verifier)),
        _size(repo, before, after, case.touched),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Case:
    """A change between two indexes, and what is read of it once."""

    repo: Repository
    before: Index
    after: Index
    changes: tuple[Change, ...]
    against: str

    @cached_property
    def touched(self) -> list[Change]:
        """What came or has other content now."""
        return [change for change in self.changes if change.how in ("added", "changed")]

    def measured(self) -> Iterator[Measured]:
        for record in self._records(("model", "run")):
            if record.artifact.kind == "model":
                yield from compare(record.artifact, self._figures(record.artifact) or {}, self._compared(record))
            else:
                other = run_before(self.after, record)
                held = Compared(other.reference, "run before", figures_of_run(other.metrics)) if other else Compared()
                yield from compare(record.artifact, figures_of_run(record.metrics), held)

    def gated(self, models: Iterable[Change], rules: Sequence[GateRule]) -> Iterator[Gated]:
        for change in models:
            artifact = _record(self.after, change.reference).artifact
            event = in_production(self.after, artifact.name)
            known = self._production(event) if event and event.model != artifact else None
            yield from hold(artifact, self._figures(artifact), known, rules)

    def doubts(self, models: Iterable[Change]) -> Iterator[Doubt]:
        names = [change.reference for change in self.touched]
        yield from lineage_doubts(self.after, names)
        used = {cited.reference for name in names for cited in _record(self.after, name).inputs}
        used |= {cited.reference for name in names for cited in _inputs_of_run(self.after, name)}
        concerned = {n for n in (*names, *used) if n.startswith("datasets/")}
        yield from leakage(self._datasets(concerned), concerned)
        for change in models:
            if not self._figures(_record(self.after, change.reference).artifact):
                yield Doubt("unmeasured", change.reference, "has no metrics that can be read")

    def series(self, models: Iterable[Change]) -> Iterator[Series]:
        for name in dict.fromkeys(_record(self.after, change.reference).artifact.name for change in models):
            versions = [record.artifact for record in self.after.of_kind("model") if record.artifact.name == name]
            listed = sorted(versions, key=lambda each: each.number)[-LONGEST:]
            yield from histories(name, [(each.version, self._figures(each) or {}) for each in listed])

    def _records(self, kinds: Collection[str]) -> list[ArtifactRecord]:
        return [_record(self.after, change.reference) for change in self.touched if change.kind in kinds]

    def _compared(self, record: ArtifactRecord) -> Compared:
        """The version in production, else the one before, as `against` asks."""
        artifact = record.artifact
        event = in_production(self.after, artifact.name) if self.against != "previous" else None
        if event is not None and event.model != artifact:
            return Compared(event.model.reference, "production", self._production(event))
        if self.against == "production":
            return Compared()
        other = predecessor((each.artifact for each in self.after.of_kind("model")), artifact)
        return Compared(other.reference, "version before", self._figures(other)) if other else Compared()

    def _figures(self, artifact: Artifact) -> Figures | None:
        return self._measures[artifact.reference]

    @cached_property
    def _measures(self) -> dict[str, Figures | None]:
        """The metrics of every version of the models that are touched, read in one sweep."""
        touched = {_record(self.after, c.reference).artifact.name for c in self.touched if c.kind == "model"}
        models = [record for record in self.after.of_kind("model") if record.artifact.name in touched]
        places = {record.reference: f"{record.tree}:{METRICS}" for record in models}
        blobs = _blobs(self.repo, places.values())
        return {reference: figures(blobs.get(place)) for reference, place in places.items()}

    def _production(self, event: StageRecord) -> Figures:
        """Its figures; none where they cannot be read, so that no gate passes for want of them."""
        place = f"{event.commit}:{event.model.path}/{METRICS}"
        return figures(_blobs(self.repo, [place]).get(place)) or {}

    def _datasets(self, concerned: Collection[str]) -> dict[str, Splits]:
        """The splits of what is concerned, and of all that models and runs of the head use."""
        if not concerned:
            return {}
        users = [*self.after.of_kind("model"), *self.after.of_kind("run")]
        names = {cited.reference for record in users for cited in record.inputs} | set(concerned)
        records = {r.reference: r for r in self.after.of_kind("dataset") if r.reference in names}
        listed = _blobs(self.repo, [f"{record.tree}:{CHECKSUMS}" for record in records.values()])
        sums = {name: _sums(listed.get(f"{record.tree}:{CHECKSUMS}")) for name, record in records.items()}
        wanted = {sha256 for name in concerned for sha256 in sums.get(name, {}).values()}
        near = {name: f"{records[name].tree}:{METADATA}" for name in sums if wanted & {*sums[name].values()}}
        said = _blobs(self.repo, near.values())
        return {name: splits_of(said.get(place), sums[name]) for name, place in near.items()}


def splits_of(metadata: bytes | None, sums: Mapping[str, str]) -> Splits:
    """Split -> file -> SHA-256, as a dataset's metadata names its splits; none where it cannot be read."""
    from strata_git.load import Unloadable, load_yaml

    try:
        said = mapping(dig(load_yaml(metadata or b"").value, "splits"))
    except Unloadable:
        return {}
    found: dict[str, dict[str, str]] = {}
    for split, described in said.items():
        path = text(dig(described, "path")) or ""
        below = "" if path == "." else f"{path}/"
        found[split] = {
            file: sha256 for file, sha256 in sums.items() if file == path or (path and file.startswith(below))
        }
    return found


def _sums(data: bytes | None) -> dict[str, str]:
    """The payload that CHECKSUMS.txt lists; nothing where it is absent or cannot be read."""
    try:
        return {file: sha256 for file, sha256 in parse(data or b"").items() if file != METADATA}
    except ChecksumError:
        return {}


def _fork(repo: Repository, first: str, last: str) -> str:
    result = repo.try_git("merge-base", first, last)
    return result.out.decode().split()[0] if result.code == 0 and result.out.strip() else first


def _only_signed(repo: Repository, old: str, new: str) -> bool:
    """Whether two trees differ in what may be added to a released version, and in nothing else."""
    out = repo.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", old, new)
    return {os.fsdecode(name) for name in out.split(b"\0")[:-1]} <= ADDABLE


def _record(index: Index, reference: str) -> ArtifactRecord:
    record = index.get(reference)
    if record is None:
        raise StrataError(f"{reference} is not in the index of {index.revision}.")
    return record


def _inputs_of_run(index: Index, reference: str) -> tuple[Cited, ...]:
    run = index.get(_record(index, reference).run or "")
    return run.inputs if run else ()


def _blobs(repo: Repository, names: Iterable[str]) -> Mapping[str, bytes]:
    rows = repo.objects.lookup(dict.fromkeys(names))
    return {name: row[2] for name, row in rows if row is not None and row[1] == "blob" and len(row[2]) < LIMIT}


def _events(index: Index, commits: Collection[str], changes: Iterable[Change]) -> Iterator[StageRecord]:
    """Events of versions that the change brings: those at its commits, and those of what it touches."""
    names = {change.reference for change in changes}
    yield from (event for event in index.events if event.commit in commits or event.model.reference in names)


def _introductions(repo: Repository, oids: Sequence[str], verifier: Verifier | None) -> Iterator[Introduction]:
    from strata_git.report.signed import checked

    for oid, kind, data in repo.objects.read_many(oids):
        if kind == "commit" and data is not None:
            yield checked(introduction(oid, data), data, verifier)


def _size(repo: Repository, before: Index, after: Index, touched: Sequence[Change]) -> Size:
    """What comes in. A file whose blob the other side has anywhere among its artifacts brings nothing."""
    if not touched:
        return Size()
    known = {entry.oid for entry in commit_tree(repo, before.revision).under("")} if before.revision else set()
    tree = commit_tree(repo, after.revision, [_record(after, change.reference).artifact.path for change in touched])
    places = [_record(after, change.reference).artifact.path for change in touched]
    fresh = {entry.oid: entry for place in places for entry in tree.under(place) if entry.oid not in known}
    tree.prefetch(fresh.values())
    files = size = lfs_files = lfs_size = unknown = 0
    for entry in fresh.values():
        try:
            content = tree.content(entry)
        except (KeyError, ValueError):
            unknown += 1
            continue
        files, size = files + 1, size + content.size
        if content.stored == "pointer":
            lfs_files, lfs_size = lfs_files + 1, lfs_size + content.size
    return Size(files, size, lfs_files, lfs_size, unknown)
