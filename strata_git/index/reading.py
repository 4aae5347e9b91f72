"""The records of artifacts, read from their trees: judged, verified and placed in history, in batches.

What a record says follows from path and tree id (with the rule set), its introduction from a commit id; both are taken
over from an earlier answer where they are the same. Who signed follows from the keys of now and is always asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import Artifact
from strata_git.index.origins import read_introductions
from strata_git.index.records import ArtifactRecord

if TYPE_CHECKING:
    from strata_git.checks.engine import Judgement
    from strata_git.checks.finding import Finding
    from strata_git.doctor.cache import Cache
    from strata_git.doctor.subject import Subject
    from strata_git.repo.command import Repository

Progress = Callable[[int], None]
Placed = tuple[Artifact, str, str | None]
"""An artifact, its tree id, and the commit of its first addition (None where history does not tell)."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Read:
    """A record as its directory and history tell it, without stages; `settled` when nothing else can change it."""

    record: ArtifactRecord
    settled: bool


class Reader:
    """Reads records of one repository. `boundary` are the commits at which a shallow clone ends."""

    def __init__(
        self, repo: Repository, cache: Cache, *, repository: str, boundary: frozenset[str],
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._repo = repo
        self._cache = cache
        self._repository = repository
        self._boundary = boundary
        self._progress = progress

    def read(self, wanted: Iterable[Placed], earlier: Mapping[tuple[Artifact, str], ArtifactRecord]) -> Iterator[Read]:
        """The records of `wanted`, in order. `earlier` are settled ones, by artifact and tree id."""
        rows = iter(wanted)
        while batch := list(islice(rows, _AT_ONCE)):
            yield from self._batch(batch, earlier)

    def _batch(self, batch: Sequence[Placed], earlier: Mapping[tuple[Artifact, str], ArtifactRecord]) -> Iterator[Read]:
        known = {artifact: earlier[artifact, tree] for artifact, tree, _ in batch if (artifact, tree) in earlier}
        fresh = self._judged([(artifact, tree) for artifact, tree, _ in batch if artifact not in known])
        told = {record.introduced.commit: record.introduced for record in known.values() if record.introduced}
        asked = {commit for _, _, commit in batch if commit and commit not in self._boundary} - told.keys()
        told |= read_introductions(self._repo, asked)
        for artifact, _, commit in batch:
            read = Read(known[artifact], True) if artifact in known else fresh[artifact]
            cut = commit if commit in self._boundary else None
            introduced = None if commit is None or cut else told.get(commit)
            yield Read(replace(read.record, introduced=introduced, boundary=cut), read.settled)

    def _judged(self, artifacts: Sequence[tuple[Artifact, str]]) -> dict[Artifact, Read]:
        if not artifacts:
            return {}
        from strata_git.doctor.judgements import judgements
        from strata_git.doctor.signatures import signature_facts

        subject = subject_of(self._repo, dict(artifacts))
        judged, _ = judgements(subject, subject.artifacts, self._cache, self._progress)
        facts = signature_facts(self._repo, judged, self._cache, subject, repository=self._repository)
        return {
            artifact: _read(self._repo, artifact, tree, judged[artifact], facts.get(artifact))
            for artifact, tree in artifacts
        }


def subject_of(repo: Repository, trees: Mapping[Artifact, str]) -> Subject:
    """Artifacts to judge, of whatever revision, by their tree ids."""
    from strata_git.doctor.subject import Subject
    from strata_git.index.trees import files_below
    from strata_git.repo.tree import ListedTree

    ids = {artifact.path: tree for artifact, tree in trees.items()}
    return Subject(
        "the index", dict(trees), ListedTree(repo, []), lambda paths: files_below(repo, {p: ids[p] for p in paths})
    )


def judge_references(
    repo: Repository, cache: Cache, trees: Mapping[Artifact, str], removed: Iterable[Artifact]
) -> tuple[Finding, ...]:
    """What is wrong between the artifacts of one revision; `removed` are those that only its history has."""
    from strata_git.checks.engine import judge_links
    from strata_git.doctor.judgements import brief_judgements, judgements

    families: dict[tuple[str, str], dict[Artifact, str]] = {}
    for artifact, tree in trees.items():  # whole names, so that what is remembered of them together is found
        month = artifact.name if artifact.version else artifact.name[:11]
        families.setdefault((artifact.kind, month), {})[artifact] = tree
    summaries: dict[str, Mapping[str, object]] = {}
    for family in families.values():
        judged, _ = brief_judgements(subject_of(repo, family), cache, storage=False)
        summaries |= {artifact.reference: judgement.summary for artifact, judgement in judged.items()}
    models = {_golden(summary) for summary in summaries.values()} & summaries.keys()
    if models:  # brief summaries say nothing of columns
        named = {artifact: tree for artifact, tree in trees.items() if artifact.reference in models}
        judged, _ = judgements(subject_of(repo, named), list(named), cache)
        summaries |= {artifact.reference: judgement.summary for artifact, judgement in judged.items()}
    return judge_links(summaries, removed={artifact.reference for artifact in removed})


def _golden(summary: Mapping[str, object]) -> str:
    golden: Any = summary.get("golden")
    return str(golden.get("model") or "") if isinstance(golden, dict) else ""


def _read(repo: Repository, artifact: Artifact, tree: str, judgement: Judgement, fact: Any) -> Read:
    """The record, with its signers and what only a model's CHECKSUMS.txt tells."""
    from strata_git.index.records import record_of
    from strata_git.index.vouch import claimed_signers, signer

    record = record_of(artifact, tree, judgement)
    if fact is not None:
        armored, verdicts = fact
        made = claimed_signers(armored) if verdicts is None else tuple(signer(verdict) for verdict in verdicts)
        record = replace(record, signers=made)
    record = replace(record, file=_model_file(repo, record, judgement.summary))
    return Read(record, record.complete and not isinstance(judgement.summary.get("signature_oid"), str))


def _model_file(repo: Repository, record: ArtifactRecord, summary: Mapping[str, object]) -> tuple[str, str] | None:
    if record.artifact.kind != "model" or record.checksums_oid is None:
        return None
    from strata_git.index.records import model_file
    from strata_git.integrity.checksums import SIZE_LIMIT, ChecksumError, parse
    from strata_git.repo.objects import TooLarge

    try:
        return model_file(summary, parse(repo.objects.read(record.checksums_oid, SIZE_LIMIT)[1]))
    except (ChecksumError, KeyError, TooLarge):
        return None
