"""What git holds at the commits that events point at, asked in bulk."""

from __future__ import annotations

from collections.abc import Iterable

from strata_git.contracts.layout import CHECKSUMS
from strata_git.integrity.checksums import digest
from strata_git.ledger.event import Evidence
from strata_git.repo.command import Repository

Place = tuple[str, str]
"""A commit and a directory."""


def gather(repo: Repository, places: Iterable[Place]) -> dict[Place, Evidence]:
    """For each commit and version directory: is it there, what is in it, and did that commit bring it?"""
    wanted = sorted(set(places))
    parents = _parents(repo, {commit for commit, _ in wanted})
    asked = [f"{commit}:{path}{end}" for commit, path in wanted for end in ("", f"/{CHECKSUMS}")]
    earlier = [f"{parent}:{path}" for commit, path in wanted for parent in parents.get(commit) or ()]
    trees: dict[str, str] = {}
    digests: dict[str, str] = {}
    for name, found in repo.objects.lookup(dict.fromkeys([*asked, *earlier])):
        if found is not None and found[1] == "tree":
            trees[name] = found[0]
        elif found is not None and found[1] == "blob":
            digests[name] = digest(found[2])
    return {
        (commit, path): Evidence(
            present=parents.get(commit) is not None,
            tree=trees.get(f"{commit}:{path}"),
            digest=digests.get(f"{commit}:{path}/{CHECKSUMS}"),
            introduces=not any(f"{parent}:{path}" in trees for parent in parents.get(commit) or ()),
        )
        for commit, path in wanted
    }


def _parents(repo: Repository, commits: Iterable[str]) -> dict[str, tuple[str, ...]]:
    from strata_git.repo.history import parse_commit

    known = {}
    for oid, kind, data in repo.objects.read_many(sorted(commits)):
        if kind == "commit" and data is not None:
            known[oid] = parse_commit(oid, data).parents
    return known
