"""Hooks for pre-commit and prek, one subject each (`.pre-commit-hooks.yaml`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from strata_git.authoring.seal import Seal, forget_seals, write_seals
from strata_git.contracts.layout import CHECKSUMS, SIGNATURE, artifact_of
from strata_git.doctor.judge import judge_commits, judge_worktree
from strata_git.doctor.subject import WATCHED
from strata_git.doctor.verdict import Verdict
from strata_git.errors import UsageError
from strata_git.hooks.asked import asked_range, judge_asked
from strata_git.hooks.pre_commit import is_own_index, plan_seals
from strata_git.hooks.sign_sealed import sign_sealed
from strata_git.hooks.told import say, tell
from strata_git.repo.command import Repository
from strata_git.repo.history import list_commits
from strata_git.repo.refs import list_refs
from strata_git.repo.staged import commit_parents, staged_changes
from strata_git.repo.tree import index_tree

METADATA = ("STR-Y", "STR-D", "STR-R", "STR-M", "STR-T", "STR-N", "STR-E", "STR-U", "STR-V", "STR-X", "STR-C007")
UNSEEN = (
    "pushed tags, notes and deletions are not seen by pre-commit and prek; the hook of `git strata install` sees them"
)


def immutable(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every hook has this shape
    """Released versions do not change."""
    return judge_asked(repo, ("STR-I",))


def metadata(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """Contract files say what the contracts ask, and what they refer to is there."""
    return judge_asked(repo, METADATA)


def lfs(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """Payload is stored with Git LFS, contract files are not, pointers are well formed."""
    return judge_asked(repo, ("STR-F",))


def secrets(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """No text holds a secret."""
    return judge_asked(repo, ("STR-G",))


def doctor(repo: Repository, arguments: Sequence[str]) -> int:
    """Judge all of the working tree; with `--strict` warnings, and what was not judged, fail too."""
    if unknown := set(arguments) - {"--strict"}:
        raise UsageError(f"'{min(unknown)}' is not taken here, only --strict.", hint="git strata doctor takes more")
    verdict = judge_worktree(repo)
    for gap in verdict.unjudged:
        say(f"git-strata: not judged: {gap}")
    tell(verdict.findings, "working tree", "git strata explain RULE tells more.", more="git strata doctor")
    return int(verdict.exit_code(strict="--strict" in arguments) >= 2)


def checksums(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """Seal what the commit releases; judge nothing beside that it can be sealed."""
    forget_seals(repo)
    changes = staged_changes(repo, WATCHED, folded=True)
    if not changes:
        return 0
    plan = plan_seals(repo, changes, commit_parents(repo))
    if tell(plan.findings, "commit", "Nothing was changed."):
        return 1
    write_seals(repo, plan.seals)
    if is_own_index(repo):
        forget_seals(repo)
    return 0


def sign(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """Sign what the commit releases, where a key answers without a question; else say so and let it pass."""
    changed = [
        artifact
        for change in staged_changes(repo, WATCHED, folded=True)
        if change.status != "D" and change.path.endswith(f"/{CHECKSUMS}") and (artifact := artifact_of(change.path))
    ]
    tree = index_tree(repo, [artifact.path for artifact in changed])
    seals = []
    for artifact in changed:
        entry = tree.get(f"{artifact.path}/{CHECKSUMS}")
        if entry is not None and tree.get(f"{artifact.path}/{SIGNATURE}") is None:
            seals.append(Seal(artifact, tree.read(entry), entry.oid))
    for line in sign_sealed(repo, seals, asked=True) if seals else ():
        say(f"git-strata: {line}")
    if seals and is_own_index(repo):
        forget_seals(repo)
    return 0


def verify(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001
    """Judge the commits of a push as far as a framework tells of them, and say what it does not tell."""
    say(f"git-strata: {UNSEEN}")
    verdict = asked_range(repo) or _unpublished(repo)
    if verdict is None:
        return 0
    for gap in verdict.unjudged:
        say(f"git-strata: not judged: {gap}")
    return tell(verdict.findings, "push", "Nothing was pushed.", more="git strata doctor --range A..B")


def _unpublished(repo: Repository) -> Verdict | None:
    """The commits that no remote is known to have."""
    tip = repo.resolve(repo.environ.get("PRE_COMMIT_TO_REF") or "HEAD")
    if tip is None:
        return None
    base = sorted({ref.oid for ref in list_refs(repo, "refs/remotes/") if ref.kind == "commit"})
    new = list_commits(repo, tip, *(f"^{oid}" for oid in base))
    return replace(judge_commits(repo, new, base, tip), subject="what is pushed") if new else None
