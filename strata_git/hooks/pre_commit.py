"""pre-commit and pre-merge-commit: seal what is new, judge what is staged, let it pass or say why not.

Errors refuse the commit; warnings are told and let it pass. Nothing is written before everything was judged.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from strata_git.authoring.seal import Seal, SignedAlready, as_changes, forget_seals, plan_seal, write_seals
from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import CHECKSUMS, Artifact, artifact_of
from strata_git.doctor.judge import judge_staged
from strata_git.doctor.released import amendable, tree_ids
from strata_git.doctor.subject import WATCHED
from strata_git.doctor.verdict import ordered
from strata_git.hooks.naming import leave_trailers
from strata_git.hooks.told import say, tell
from strata_git.repo.command import Repository
from strata_git.repo.scan import staged_at
from strata_git.repo.staged import Change, commit_parents, staged_changes
from strata_git.repo.tree import ListedTree
from strata_git.repo.worktree import lies_as_staged, unstaged_paths


@dataclass(slots=True)
class SealPlan:
    """The lists to write, and what stands in the way of others."""

    seals: list[Seal] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def run(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every hook has this shape
    """Judge and seal the commit that git is about to make; 1 refuses it."""
    forget_seals(repo)
    changes = staged_changes(repo, WATCHED, folded=True)
    if not changes:
        return _asked_by_hand(repo)
    parents = commit_parents(repo)
    plan = plan_seals(repo, changes, parents)
    sealed = as_changes(repo, changes, plan.seals)
    verdict = judge_staged(repo, sealed, narrow=True, parents=parents)
    findings = ordered([*plan.findings, *verdict.findings])
    if tell(findings, "commit", "Nothing was changed.", more="git strata doctor --staged"):
        return 1
    write_seals(repo, plan.seals)
    if any(change.path == ".gitattributes" for change in changes):
        from strata_git.hooks.locks import note_locks

        note_locks(repo)
    _sign(repo, plan.seals)
    leave_trailers(repo, changes)
    if is_own_index(repo):
        forget_seals(repo)  # nothing to settle: post-commit's gate then starts no Python
    return 0


def _asked_by_hand(repo: Repository) -> int:
    """Frameworks run hooks without a commit too, and pass a range or mean everything that is there."""
    if "PRE_COMMIT" not in repo.environ:
        return 0
    from strata_git.hooks.asked import judge_asked

    return judge_asked(repo)


def plan_seals(repo: Repository, changes: Sequence[Change], parents: Sequence[str]) -> SealPlan:
    """What is to be sealed for the commit of `changes` on top of `parents`. Nothing is written."""
    plan = SealPlan()
    touched = sorted({a for change in changes if (a := artifact_of(change.path)) and a.frozen})
    ids = tree_ids(repo, [f"{parent}:{artifact.path}" for artifact in touched for parent in parents])
    tree = staged_at(repo, [a.path for a in touched], [c for c in changes if artifact_of(c.path)])
    new = []
    for artifact in touched:
        released = [parent for parent in parents if ids[f"{parent}:{artifact.path}"]]
        if released and not _amending(repo, tree, artifact, changes, parents):
            continue
        if tree.under(artifact.path):
            new.append(artifact)
    unstaged = _unstaged(repo, [one for one in new if not lies_as_staged(repo, one.path, tree.under(one.path))])
    for artifact in new:
        _plan_one(repo, tree, artifact, unstaged.get(artifact, []), plan)
    return plan


def _unstaged(repo: Repository, artifacts: Sequence[Artifact]) -> dict[Artifact, list[str]]:
    left: dict[Artifact, list[str]] = {}
    for path in unstaged_paths(repo, [artifact.path for artifact in artifacts]) if artifacts else ():
        artifact = artifact_of(path)
        if artifact is not None and path != f"{artifact.path}/{CHECKSUMS}":
            left.setdefault(artifact, []).append(path)
    return left


def _amending(
    repo: Repository, tree: ListedTree, artifact: Artifact, changes: Sequence[Change], parents: Sequence[str]
) -> bool:
    """Whether payload of a version changes that HEAD itself introduced and nobody has seen."""
    payload = [c for c in changes if artifact_of(c.path) == artifact and c.path.rpartition("/")[2] != CHECKSUMS]
    return bool(payload) and bool(tree.under(artifact.path)) and amendable(repo, artifact, parents)


def _plan_one(repo: Repository, tree: ListedTree, artifact: Artifact, left: Sequence[str], plan: SealPlan) -> None:
    for path in left:
        message = f"is not staged, but {artifact.short} is released by this commit"
        plan.findings.append(found("STR-C008", path, message))
    if left:
        return
    try:
        seal = plan_seal(repo, tree, artifact)
    except SignedAlready:
        message = f"CHECKSUMS.txt of {artifact.short} would change under its signature"
        plan.findings.append(found("STR-C009", f"{artifact.path}/{CHECKSUMS}", message))
        return
    except ValueError:
        return  # a name that no list can hold: the rules tell which
    if seal is not None:
        plan.seals.append(seal)


def is_own_index(repo: Repository) -> bool:
    """Whether the commit is made from the index that stays: only `git commit PATH` throws away what hooks put in.

    `git commit -a` hands the hook the lock file that becomes the index.
    """
    given = repo.environ.get("GIT_INDEX_FILE")
    if given is None:
        return False
    lasting = {os.path.realpath(repo.git_dir / name) for name in ("index", "index.lock")}
    return os.path.realpath(repo.directory / given) in lasting


def _sign(repo: Repository, seals: Sequence[Seal]) -> None:
    if seals:
        from strata_git.hooks.sign_sealed import sign_sealed

        for line in sign_sealed(repo, seals):
            say(f"git-strata: {line}")
