"""Every content that artifacts ever had, in a range of commits or in all of history: for `verify`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from strata_git.contracts.layout import ROOTS, Artifact, artifact_of
from strata_git.doctor.judge import require_commit
from strata_git.errors import UsageError
from strata_git.repo.command import Repository
from strata_git.repo.history import list_commits, read_commits, steps
from strata_git.repo.scan import TREE, Row, entries_below
from strata_git.repo.staged import Change
from strata_git.repo.tree import ListedTree

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Version:
    """An artifact as `commit`, the first to have it so, holds it; `tree` is its tree id."""

    artifact: Artifact
    commit: str
    tree: str

    def files(self, repo: Repository) -> ListedTree:
        """Its files, listed from the object store."""
        path = self.artifact.path
        return ListedTree(repo, entries_below(repo, [(path, Row(TREE, path, self.tree))]))


def versions_between(repo: Repository, span: str) -> list[Version]:
    """What the commits of `A..B` changed artifacts to, oldest first, each content once. UsageError for no range."""
    base, dots, tip = span.partition("..")
    if not dots or not base or tip.startswith("."):
        raise UsageError(f"'{span}' is no range: write A..B.", hint="git strata verify --range origin/main..HEAD")
    first, last = require_commit(repo, base), require_commit(repo, tip or "HEAD")
    return _versions(repo, list_commits(repo, last, f"^{first}"))


def versions_ever(repo: Repository) -> list[Version]:
    """What any commit of any branch or tag changed artifacts to, oldest first, each content once."""
    tips = repo.git("rev-list", "--no-walk", "--branches", "--tags", "--remotes").decode().split()
    head = repo.head()
    return _versions(repo, list_commits(repo, *tips, *([head] if head else [])) if tips or head else [])


def _versions(repo: Repository, oids: Sequence[str]) -> list[Version]:
    """Distinct (path, tree id); removals leave nothing to verify."""
    seen: dict[tuple[str, str], Version] = {}
    remaining = iter(oids)
    while part := list(islice(remaining, _AT_ONCE)):
        commits = list(read_commits(repo, part))
        touched = dict.fromkeys(
            (step.commit, artifact) for step in steps(repo, commits, ROOTS) for artifact in _of(step.changes)
        )
        names = {f"{commit}:{artifact.path}": (commit, artifact) for commit, artifact in touched}
        trees = dict(repo.objects.lookup(names))
        for name, (commit, artifact) in names.items():
            row = trees.get(name)
            if row is not None and row[1] == "tree":
                seen.setdefault((artifact.path, row[0]), Version(artifact, commit, row[0]))
    return list(seen.values())


def _of(changes: Iterable[Change]) -> Iterator[Artifact]:
    for change in changes:
        artifact = artifact_of(change.path)
        if artifact is not None and artifact.frozen:
            yield artifact
