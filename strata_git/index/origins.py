"""Which commit brought each artifact, in one pass over history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strata_git.contracts.layout import ROOTS, Artifact, artifact_of
from strata_git.index.records import Introduction
from strata_git.index.vouch import introduction
from strata_git.repo.command import Repository
from strata_git.repo.history import first_appearances
from strata_git.repo.objects import TooLarge

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Origins:
    """`first` names for each artifact ever seen the oldest commit that has its directory; `boundary` are the commits at
    which a shallow clone ends, of which nobody can tell here what they introduced."""

    first: Mapping[Artifact, str]
    commits: Mapping[str, Introduction]
    boundary: frozenset[str]

    def introduced(self, artifact: Artifact) -> Introduction | None:
        """The introducing commit; None where history ends before it does."""
        commit = self.first.get(artifact)
        return None if commit is None or commit in self.boundary else self.commits.get(commit)

    def cut(self, artifact: Artifact) -> str | None:
        """The shallow clone's last commit, when the artifact is older than that."""
        commit = self.first.get(artifact)
        return commit if commit in self.boundary else None


def read_origins(repo: Repository, revision: str, others: Iterable[str] = ()) -> Origins:
    """The origins of everything in the history of `revision`; `others` are commits to be read along.

    A version added on two branches was introduced by the first of them in topological order; one that was merged was
    introduced on its branch, not by the merge.
    """
    first: dict[Artifact, str] = {}
    for path, commit in first_appearances(repo, [revision], ROOTS).items():
        artifact = artifact_of(path)
        if artifact is not None and path.startswith(f"{artifact.path}/"):
            first.setdefault(artifact, commit)
    commits = {
        oid: introduction(oid, data) for oid, _, data in repo.objects.read_many(sorted(set(first.values()))) if data
    }
    return Origins(first, commits | read_others(repo, set(others) - commits.keys()), _boundary(repo))


def read_others(repo: Repository, oids: Iterable[str]) -> dict[str, Introduction]:
    """Those of `oids` that are commits in this repository; what is no object id is never asked for."""
    found: dict[str, Introduction] = {}
    for oid in sorted(oids):
        if not _OBJECT_ID.fullmatch(oid):
            continue
        try:  # one by one: in a partial clone older versions of git end at an object that is absent
            kind, data = repo.objects.read(oid, _COMMIT_LIMIT)
        except (KeyError, TooLarge):
            continue
        if kind == "commit":
            found[oid] = introduction(oid, data)
    return found


def _boundary(repo: Repository) -> frozenset[str]:
    try:
        return frozenset((repo.common_dir / "shallow").read_text("ascii").split())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
