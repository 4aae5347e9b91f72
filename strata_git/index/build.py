"""From a repository to its index: one pass over history, the tree of one revision, and the ledger.

Everything is read from git objects and references, so a bare clone without a cache or Git LFS bytes gives the same.
What is kept from one build to the next are the verdicts of `doctor`, by tree id; losing them costs time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.checks.engine import Judgement, judge_links
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact
from strata_git.doctor.cache import Cache
from strata_git.doctor.judge import open_cache, require_commit
from strata_git.doctor.judgements import judgements
from strata_git.doctor.settings import settings_of
from strata_git.doctor.signatures import signature_facts
from strata_git.doctor.subject import commit_subject
from strata_git.index.origins import Origins, read_origins
from strata_git.index.records import ArtifactRecord, Index, Removed, Signature, model_file, record_of
from strata_git.index.stages import Stages, read_stages
from strata_git.index.stale import clear_stale
from strata_git.index.vouch import Verifier, claimed_signers, signer
from strata_git.integrity.checksums import SIZE_LIMIT, ChecksumError, parse
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository
from strata_git.repo.history import is_shallow
from strata_git.repo.objects import TooLarge

Progress = Callable[[int], None]
CACHE = "verdicts.sqlite"


def build(
    repo: Repository,
    revision: str = "HEAD",
    verifier: Verifier | None = None,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Index:
    """The index at `revision`: its artifacts, what the history before it removed, and the ledger as it is now.

    A revision of the past shows the artifacts of then with the stages of today: stages are events of their own and
    say when they happened. Signatures of artifacts are checked with gpg, those of commits are only claimed (`describe`
    checks them). With `fresh`, artifacts are judged again whatever is remembered of them. Raises StrataError when there
    is no such revision. A repository without a commit gives an empty index.
    """
    if revision == "HEAD" and repo.head() is None:
        return Index()
    commit = require_commit(repo, revision)
    clear_stale(repo)
    case = _judge(repo, commit, fresh, progress)
    records = [_record(repo, case, artifact) for artifact in case.judged]
    origins = read_origins(repo, commit, [record.code.commit for record in records if record.code])
    stages = read_stages(repo, verifier, repository=case.repository)
    removed = sorted((artifact for artifact in origins.first if artifact not in case.judged), key=order)
    coded = {record.code.commit for record in records if record.code}
    return Index(
        commit,
        artifacts=tuple(
            _placed(record, origins, stages) for record in sorted(records, key=lambda r: order(r.artifact))
        ),
        removed=tuple(Removed(artifact, origins.introduced(artifact)) for artifact in removed),
        events=stages.events,
        findings=_judge_links(case.judged, removed),
        complaints=stages.complaints,
        commits={oid: origins.commits[oid] for oid in sorted(coded & origins.commits.keys())},
        shallow=is_shallow(repo),
    )


def order(artifact: Artifact) -> tuple[str, str, int]:
    """How artifacts are listed: by kind and name, versions by number."""
    return artifact.kind, artifact.name, artifact.number


@dataclass(frozen=True, slots=True)
class _Case:
    """The artifacts of a tree by their tree ids, what was judged of them, who signed them, and the workspace's UUID."""

    trees: Mapping[Artifact, str]
    judged: Mapping[Artifact, Judgement]
    signers: Mapping[Artifact, tuple[Signature, ...]]
    repository: str


def _judge(repo: Repository, commit: str, fresh: bool, progress: Progress | None) -> _Case:
    """Judge and verify; both are remembered from before where possible."""
    subject = commit_subject(repo, commit)
    cache = _Unread(repo.cache_dir / CACHE) if fresh else open_cache(repo)
    try:
        judged, _ = judgements(subject, subject.artifacts, cache, progress)
        settings = settings_of(subject, cache)
        facts = signature_facts(repo, judged, cache, repository=settings.repository)
    finally:
        cache.close()
    signers = {artifact: _signers(*fact) for artifact, fact in facts.items()}
    return _Case(subject.artifacts, judged, signers, settings.repository)


class _Unread(Cache):
    """The verdict cache, written and not believed."""

    def get(self, keys: Iterable[str]) -> dict[str, object]:  # noqa: ARG002 - nothing is known, whatever is asked
        """Nothing."""
        return {}


def _signers(armored: bytes, verdicts: Sequence[SignatureVerdict] | None) -> tuple[Signature, ...]:
    return claimed_signers(armored) if verdicts is None else tuple(signer(verdict) for verdict in verdicts)


def _judge_links(judged: Mapping[Artifact, Judgement], removed: Iterable[Artifact]) -> tuple[Finding, ...]:
    summaries = {artifact.reference: judgement.summary for artifact, judgement in judged.items()}
    return judge_links(summaries, removed={artifact.reference for artifact in removed})


def _record(repo: Repository, case: _Case, artifact: Artifact) -> ArtifactRecord:
    """The record, with its signers and what only a model's CHECKSUMS.txt tells."""
    judgement = case.judged[artifact]
    record = record_of(artifact, case.trees[artifact], judgement)
    record = replace(record, signers=case.signers.get(artifact, ()))
    if artifact.kind != "model" or record.checksums_oid is None:
        return record
    try:
        sums = _sums(repo.objects.read(record.checksums_oid, SIZE_LIMIT)[1])
    except (KeyError, TooLarge):
        return record
    return replace(record, file=model_file(judgement.summary, sums))


def _sums(data: bytes) -> Mapping[str, str]:
    try:
        return parse(data)
    except ChecksumError:
        return {}


def _placed(record: ArtifactRecord, origins: Origins, stages: Stages) -> ArtifactRecord:
    """`record` in its history and its stages."""
    return replace(
        record,
        introduced=origins.introduced(record.artifact),
        boundary=origins.cut(record.artifact),
        stages=(stages.placed[record.artifact],) if record.artifact in stages.placed else (),
    )
