"""The bench on which properties are tried: one repository for all examples, and what is compared of a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strata_git.checks.finding import Finding
from strata_git.doctor.subject import WATCHED
from strata_git.doctor.verdict import Verdict
from strata_git.repo.command import Repository
from strata_git.repo.staged import staged_changes
from tests.properties.plumbing import Plumbing
from tests.properties.workspaces import Workspace

SHORT = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(SHORT, max_examples=100)
"""The long form: some minutes in all."""
OF_THE_CLONE = ("STR-R007", "STR-H")
"""Facts about no tree: branches that lie beside each other, and the hooks of this clone."""
Fact = tuple[str, str, str, int, str]


@dataclass(slots=True)
class Bench:
    """One repository, in which each example begins anew."""

    plumbing: Plumbing
    repo: Repository
    number: int = 0

    def commit(self, files: Workspace, *parents: str) -> str:
        """A commit that holds `files`; HEAD stays where it is."""
        self.number += 1
        return self.plumbing.commit(self.plumbing.tree(files), parents, self.number)

    def begin(self, base: Workspace | None, *, published: bool = True) -> str | None:
        """HEAD is a first commit that holds `base` (None: no commit yet), which others have seen; nothing is merged."""
        commit = self.commit(base) if base is not None else None
        self.plumbing.stand_on(commit)
        self.plumbing.publish(commit if published else None)
        return commit

    def stage(self, files: Workspace) -> bool:
        """The index holds `files`; whether that changes anything that is looked at (no hook judges otherwise)."""
        self.plumbing.stage(self.plumbing.tree(files))
        return bool(staged_changes(self.repo, WATCHED, folded=True))


def of_change(finding: Finding) -> bool:
    """Whether it is a fact about what a commit does to released versions, not about what it holds."""
    return finding.rule.startswith("STR-I")


def facts(verdict: Verdict, *, info: bool = True, changes: bool = True) -> set[Fact]:
    """What a verdict says of a tree and how it came about, without the commits in which it stands."""
    told = (f for f in verdict.findings if (info or f.severity != "info") and (changes or not of_change(f)))
    told = (f for f in told if not f.rule.startswith(OF_THE_CLONE))
    return {(f.rule, f.severity, f.path, f.line, f.message) for f in told}


def hold(profile: settings, check: Callable[..., None], **drawn: st.SearchStrategy[object]) -> None:
    """Try `check` on what is drawn, as often as `profile` says."""
    profile(given(**drawn)(check))()
