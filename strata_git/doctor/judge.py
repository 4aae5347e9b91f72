"""The doors of the doctor: one verdict for the working tree, the staged tree, a commit, or a range of commits.

Every door gathers facts (history, signatures, settings), lets the same rules judge, and says what it could not judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from strata_git.checks.engine import Judgement, Summary, judge_links
from strata_git.checks.finding import Finding
from strata_git.checks.lfs import judge_storage
from strata_git.config import Settings
from strata_git.contracts.layout import BASELINE, POLICY, SETTINGS, Artifact, artifact_of, parse_reference
from strata_git.doctor.cache import Cache
from strata_git.doctor.exceptions import Exceptions, exceptions_in, exceptions_of_base, excused
from strata_git.doctor.judgements import Progress, brief_judgements, judgements
from strata_git.doctor.released import judge_history, judge_staged_versions, tree_ids
from strata_git.doctor.secrets import judge_secrets
from strata_git.doctor.settings import settings_of
from strata_git.doctor.signatures import judge_signed, signature_facts
from strata_git.doctor.subject import (
    WATCHED,
    Subject,
    commit_subject,
    narrow_subject,
    received_subject,
    staged_subject,
    work_subject,
)
from strata_git.doctor.texts import judge_around
from strata_git.doctor.verdict import Verdict, ordered
from strata_git.doctor.workspace import judge_loose
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.history import Commit, is_shallow, list_commits, read_commits, steps
from strata_git.repo.staged import Change, commit_parents, staged_changes
from strata_git.repo.tree import ListedTree, commit_tree

AROUND_ALL = frozenset({SETTINGS, ".gitattributes"})
"""The files that say something about every artifact."""
SHALLOW = "history before the shallow boundary (git fetch --unshallow)"


def judge_worktree(
    repo: Repository, paths: Sequence[str] = (), *, deep: bool = False, progress: Progress | None = None
) -> Verdict:
    """Judge the working tree as it lies on the disk, `paths` (files or directories) only when given.

    Versions that HEAD holds are also compared with what HEAD holds: an edit of a released file is told here already.
    `deep` reads every byte of large files, where they are here, in place of believing their pointers.
    """
    repo.require_worktree()
    subject = work_subject(repo)
    verdict = _judge_subject(repo, subject, paths, progress)
    verdict = _with(verdict, _released_edits(repo, subject, paths))
    if deep:
        verdict = verdict.joined(_judge_bytes(repo, subject, paths, True, progress))
    return _excused(repo, verdict, subject.loose, whole=not paths)


def judge_staged(
    repo: Repository, changes: Sequence[Change] | None = None, *, narrow: bool = False, parents: Sequence[str] = ()
) -> Verdict:
    """Judge what the next commit would hold. `narrow` (hooks) judges only what it changes and what that cites.

    `changes` stand in for what is staged (a hook knows already, and adds what it is about to seal). `parents` are the
    commits the next one will descend from, where the caller knows them.
    """
    repo.require_worktree()
    staged = list(changes) if changes is not None else staged_changes(repo, WATCHED, folded=True)
    subject = narrow_subject(repo, staged) if narrow else staged_subject(repo, staged)
    known = list(parents) or commit_parents(repo)
    touched = sorted({a.path for change in staged if (a := artifact_of(change.path))})
    cache = open_cache(repo)
    try:
        verdict = _judge_with(repo, subject, (), None, cache)
        verdict = _with(verdict, judge_staged_versions(repo, subject.files(touched), staged, known))
        return excused(verdict, exceptions_in(subject.loose, cache), whole=not narrow)
    finally:
        cache.close()


def judge_commit(
    repo: Repository, revision: str, paths: Sequence[str] = (), *, deep: bool = False, progress: Progress | None = None
) -> Verdict:
    """Judge the tree of one commit, without a checkout and, but for `deep`, without a byte of Git LFS content."""
    subject = commit_subject(repo, require_commit(repo, revision))
    verdict = _judge_subject(repo, subject, paths, progress)
    if deep:
        verdict = verdict.joined(_judge_bytes(repo, subject, paths, False, progress))
    return _excused(repo, verdict, subject.loose, whole=not paths)


def judge_artifact_at(repo: Repository, revision: str, artifact: Artifact) -> Verdict:
    """Judge one artifact in one commit, with what it refers to. No exception counts: a promotion asks for the truth."""
    return _judge_subject(repo, commit_subject(repo, require_commit(repo, revision)), [artifact.path], None)


def judge_range(repo: Repository, base: str, tip: str, *, progress: Progress | None = None) -> Verdict:
    """Judge every commit that `tip` has and `base` has not: what each does to released versions, and the tree at the
    end as far as they changed it."""
    first, last = require_commit(repo, base), require_commit(repo, tip)
    verdict = judge_commits(repo, list_commits(repo, last, f"^{first}"), [first], last, progress=progress)
    return _with(verdict, _judge_policy_change(repo, first, last))


def _judge_policy_change(repo: Repository, base: str, tip: str) -> list[Finding]:
    """A policy that differs at the end of a range has to follow the one that the base has."""
    names = [f"{commit}:{POLICY}" for commit in (base, tip)]
    before, after = (row[0] if row else "" for _, row in repo.objects.lookup(names))
    if before == after:
        return []
    from strata_git.doctor.trust import judge_change

    cache = open_cache(repo)
    try:
        settings = exceptions_in(commit_tree(repo, base, [SETTINGS]), cache).settings
    finally:
        cache.close()
    return judge_change(repo, base, tip, settings.repository)


def judge_commits(
    repo: Repository, oids: Sequence[str], base: Collection[str], tip: str, *, in_force: str = "",
    progress: Progress | None = None,
) -> Verdict:  # fmt: skip
    """Judge the commits `oids` (parents first) on top of the history of `base`; artifacts they touch in every one.

    `base` are commits, or options by which `git log` selects them. Settings and baseline are those of the base, and of
    `tip` only where the base has no strata.yaml yet: who receives commits judges by what he has. `in_force` names the
    commit that has them, where the caller knows it.
    """
    commits = list(read_commits(repo, oids))
    from strata_git.doctor.messages import judge_messages

    exceptions = _received_by(repo, commits, [in_force] if in_force else base, tip)
    told = [*judge_history(repo, commits, base), *judge_messages(repo, oids)]
    verdict = Verdict(f"{len(commits)} commits up to {tip}", ordered(told))
    firsts = {commit.oid: commit.parents[0] if commit.parents else "" for commit in commits}
    cache = open_cache(repo)
    try:
        judged = [s for s in steps(repo, commits, WATCHED, folded=True) if s.parent == firsts[s.commit]]
        for step in judged:
            subject = received_subject(repo, step.commit, step.changes)
            places = {artifact.path if (artifact := artifact_of(c.path)) else c.path for c in step.changes}
            if step is judged[-1]:
                places |= AROUND_ALL  # what speaks for everything, as the commit hook saw it
            inner = _judge_with(repo, subject, sorted(places), progress, cache, exceptions.settings)
            kept = tuple(_at(f, step.commit) for f in inner.findings if f.severity != "info")
            verdict = verdict.joined(replace(inner, findings=kept))
    finally:
        cache.close()
    verdict = replace(verdict, unjudged=(*verdict.unjudged, SHALLOW)) if is_shallow(repo) else verdict
    return excused(verdict, exceptions, whole=False)


def summaries(
    repo: Repository, subject: Subject, wanted: Collection[Artifact] | None = None, progress: Progress | None = None
) -> dict[Artifact, Summary]:
    """What every artifact of the subject says of itself, remembered like the verdicts."""
    cache = open_cache(repo)
    try:
        done, _ = judgements(subject, wanted if wanted is not None else list(subject.artifacts), cache, progress)
    finally:
        cache.close()
    return {artifact: judgement.summary for artifact, judgement in done.items()}


def open_cache(repo: Repository) -> Cache:
    """The verdict cache of a repository."""
    return Cache(repo.cache_dir / "verdicts.sqlite")


def forget_verdicts(repo: Repository) -> None:
    """Forget all that was judged: the next verdict looks at everything again. Costs time, changes nothing else."""
    cache = open_cache(repo)
    try:
        cache.clear()
    finally:
        cache.close()


def require_commit(repo: Repository, revision: str) -> str:
    """The commit `revision` names; StrataError when there is none."""
    oid = repo.resolve(revision)
    if oid is None:
        what = "There is no commit yet" if revision == "HEAD" else f"'{printable(revision)}' names no commit here"
        raise StrataError(f"{what}.", hint="git log --oneline --all   shows what there is")
    return oid


# -- one subject -------------------------------------------------------------------------------------------------


def _judge_subject(repo: Repository, subject: Subject, paths: Sequence[str], progress: Progress | None) -> Verdict:
    cache = open_cache(repo)
    try:
        return _judge_with(repo, subject, paths, progress, cache)
    finally:
        cache.close()


def _judge_with(
    repo: Repository, subject: Subject, paths: Sequence[str], progress: Progress | None, cache: Cache,
    settings: Settings | None = None,
) -> Verdict:  # fmt: skip
    settings = settings or settings_of(subject, cache)
    asked = _Asked(paths)
    chosen = [artifact for artifact in subject.artifacts if artifact.path in asked]
    if paths or subject.narrow:
        judged, fresh = judgements(subject, chosen, cache, progress)
    else:
        judged, fresh = brief_judgements(subject, cache, progress, storage=settings.lfs)
    findings: list[Finding] = [f for judgement in judged.values() for f in judgement.findings]
    for judgement in judged.values() if settings.lfs else ():
        findings += judge_storage(judgement.summary, lfs=True)
    facts = signature_facts(repo, judged, cache, subject, repository=settings.repository)
    whole = [artifact for artifact in chosen if judged[artifact].summary.get("judged", True)]
    findings += judge_signed(facts, whole, settings.signing_required)
    findings += judge_loose(subject, paths, cache)
    if POLICY in asked and (not subject.narrow or subject.loose.get(POLICY) is not None):
        from strata_git.doctor.trust import judge_trust  # most commits change no policy

        findings += judge_trust(repo, subject, settings.repository)
    findings += judge_secrets(subject, judged, paths, settings.secrets_allow, cache)
    findings += judge_around(repo, subject, paths, settings, cache)
    if any(artifact.kind == "service" for artifact in judged):
        from strata_git.doctor.services import judge_stages

        findings += judge_stages(repo, subject, judged)
    if not subject.narrow:
        from strata_git.doctor.collisions import judge_run_ids

        findings += [one for one in judge_run_ids(repo, subject, judged, cache) if one.path in asked]
    findings += _judge_links(repo, subject, judged, paths, cache)
    missing = sum(not judgement.summary.get("judged", True) for judgement in judged.values())
    unjudged = (f"{missing} artifacts with absent objects",) if missing else ()
    return Verdict(subject.name, ordered(findings), len(chosen), fresh, unjudged)


def _judge_bytes(
    repo: Repository, subject: Subject, paths: Sequence[str], on_disk: bool, progress: Progress | None
) -> Verdict:
    from strata_git.doctor.deep import judge_bytes

    asked = _Asked(paths)
    wanted = sorted(artifact for artifact in subject.artifacts if artifact.frozen and artifact.path in asked)
    files = subject.files([artifact.path for artifact in wanted])
    findings, unseen = judge_bytes(repo, files, wanted, on_disk=on_disk, progress=progress)
    gap = (f"the bytes of {unseen} files, of which only a Git LFS pointer is here (git lfs fetch)",) if unseen else ()
    return Verdict("", tuple(findings), unjudged=gap)


def _excused(repo: Repository, verdict: Verdict, tree: ListedTree, *, whole: bool) -> Verdict:
    cache = open_cache(repo)
    try:
        return excused(verdict, exceptions_in(tree, cache), whole=whole)
    finally:
        cache.close()


def _received_by(repo: Repository, commits: Sequence[Commit], base: Collection[str], tip: str) -> Exceptions:
    cache = open_cache(repo)
    try:
        theirs = exceptions_of_base(repo, commits, base, cache)
        return theirs or exceptions_in(commit_tree(repo, tip, [SETTINGS, BASELINE]), cache)
    finally:
        cache.close()


def _judge_links(
    repo: Repository, subject: Subject, judged: dict[Artifact, Judgement], paths: Sequence[str], cache: Cache
) -> list[Finding]:
    known = {artifact.reference: judgement.summary for artifact, judgement in judged.items()}
    touched = None if not paths and not subject.narrow else set(known)
    for _ in range(2):  # what is cited, and what a cited run cites
        absent = (_cited(known.values()) | _golden(known.values())) - known.keys()
        more, _fresh = judgements(subject, subject.learn([a for one in absent if (a := _artifact(one))]), cache)
        known |= {artifact.reference: judgement.summary for artifact, judgement in more.items()}
    if golden := _golden(known.values()):  # brief summaries say nothing of columns
        whole, _fresh = judgements(subject, subject.learn([a for one in golden if (a := _artifact(one))]), cache)
        known |= {artifact.reference: judgement.summary for artifact, judgement in whole.items()}
    dangling = _cited(known.values()) - known.keys()
    return list(judge_links(known, touched, removed=_removed(repo, dangling, subject.commit)))


def _cited(summaries: Iterable[Summary]) -> set[str]:
    cited: set[str] = set()
    for summary in summaries:
        inputs = summary.get("inputs")
        if isinstance(inputs, list):
            cited.update(row["ref"] for row in inputs if isinstance(row, dict) and isinstance(row.get("ref"), str))
        if isinstance(run := summary.get("run"), str):
            cited.add(run)
    return cited


def _golden(summaries: Iterable[Summary]) -> set[str]:
    """The model versions that services' golden predictions were made with."""
    told = (summary.get("golden") for summary in summaries)
    return {str(golden["model"]) for golden in told if isinstance(golden, dict) and golden.get("model")}


def _removed(repo: Repository, references: Iterable[str], commit: str | None) -> set[str]:
    """Those of `references` that some commit of the history of `commit` holds, as directories."""
    gone = set()
    for reference in references:
        artifact = _artifact(reference)
        if commit and artifact and repo.git("rev-list", "-1", commit, "--", f"{artifact.path}/").strip():
            gone.add(reference)
    return gone


def _artifact(reference: str) -> Artifact | None:
    try:
        parsed = parse_reference(reference)
    except ValueError:
        return None
    if parsed.kind is None or (parsed.kind != "run" and parsed.version is None):
        return None
    return parsed.artifact(parsed.kind)


def _released_edits(repo: Repository, subject: Subject, paths: Sequence[str]) -> list[Finding]:
    head = subject.commit
    if head is None:
        return []
    asked = _Asked(paths)
    seen_at = {**dict.fromkeys(subject.gone), **{artifact: subject.artifacts[artifact] for artifact in subject.touched}}
    ids = tree_ids(repo, [f"{head}:{artifact.path}" for artifact in seen_at if artifact.frozen])
    edited = [
        artifact
        for artifact, oid in seen_at.items()
        if artifact.frozen and artifact.path in asked and ids[f"{head}:{artifact.path}"] not in (None, oid)
    ]
    if not edited:
        return []
    places = [artifact.path for artifact in edited]
    tree = subject.files(places)
    before = commit_tree(repo, head, places)
    seen = {entry.path: entry for entry in tree.under("")}
    past = {entry.path: entry for entry in before.under("")}
    changes = [
        Change(path, past[path].mode if path in past else "000000", seen[path].mode if path in seen else "000000",
               past[path].oid if path in past else repo.null_oid, seen[path].oid if path in seen else repo.null_oid,
               "M" if path in seen and path in past else "A" if path in seen else "D")
        for path in sorted(seen.keys() | past.keys()) if seen.get(path) != past.get(path)
    ]  # fmt: skip
    return judge_staged_versions(repo, tree, changes, [head])


class _Asked:
    """The places asked about, with all that lies below and around them; every place where none was named."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = frozenset(paths)
        self._around = {parent for path in paths for parent in _parents(path)}

    def __contains__(self, path: str) -> bool:
        if not self._paths:
            return True
        here = path in self._paths or path in self._around
        return here or any(parent in self._paths for parent in _parents(path))


def _parents(path: str) -> Iterable[str]:
    while cut := path.rpartition("/")[0]:
        yield cut
        path = cut


def _at(finding: Finding, commit: str) -> Finding:
    return finding if finding.commit else replace(finding, commit=commit)


def _with(verdict: Verdict, findings: Iterable[Finding]) -> Verdict:
    return verdict.joined(Verdict("", tuple(findings)))
