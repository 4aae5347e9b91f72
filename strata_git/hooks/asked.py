"""What a framework asks to be judged: a commit that is being made, a range, or all that is there.

A framework passes a range by PRE_COMMIT_FROM_REF and PRE_COMMIT_TO_REF. Where it gives none and nothing of ours is
staged, a run that no git command started means all that is there, as `pre-commit run --all-files` in CI does.
"""

from __future__ import annotations

from strata_git.doctor.judge import judge_range, judge_staged, judge_worktree
from strata_git.doctor.subject import WATCHED
from strata_git.doctor.verdict import Verdict
from strata_git.hooks.told import say, tell
from strata_git.repo.command import Repository
from strata_git.repo.staged import staged_changes


def judge_asked(repo: Repository, rules: tuple[str, ...] = ("STR-",)) -> int:
    """Judge what the framework means, as far as `rules` (beginnings of ids) go; 1 where there are errors."""
    verdict = _judged(repo)
    if verdict is None:
        return 0
    for gap in verdict.unjudged:
        say(f"git-strata: not judged: {gap}")
    findings = [finding for finding in verdict.findings if finding.rule.startswith(rules)]
    return tell(findings, "commit", "Nothing was changed.", more="git strata doctor --staged")


def _judged(repo: Repository) -> Verdict | None:
    if verdict := asked_range(repo):
        return verdict
    if staged_changes(repo, WATCHED, folded=True):
        return judge_staged(repo, narrow=True)
    # git names the index to the hooks it starts
    return judge_worktree(repo) if "GIT_INDEX_FILE" not in repo.environ else None


def asked_range(repo: Repository) -> Verdict | None:
    """The range that the framework was given; where only its end is known, or its start is not here: None."""
    start, end = (repo.environ.get(f"PRE_COMMIT_{name}_REF", "") for name in ("FROM", "TO"))
    first, last = (repo.resolve(name) if name else None for name in (start, end))
    return judge_range(repo, first, last) if first and last else None
