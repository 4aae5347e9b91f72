"""What a revision lacks: versions on other branches and tags, and those that were removed.

A frozen version is what it is without its signatures: one that was signed later, or not yet, is no other content.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from strata_git.contracts.layout import ADDABLE, KINDS, Artifact, artifact_of
from strata_git.index.additions import Addition, Progress, read_additions
from strata_git.repo.scan import Row, parse_tree, render_tree

if TYPE_CHECKING:
    from strata_git.index.reading import Placed
    from strata_git.index.store import Store
    from strata_git.repo.command import Repository

Additions = Mapping[str, list[Addition]]
"""Artifact path -> its additions, in order."""


def find_elsewhere(
    repo: Repository, store: Store, revision: str, trees: Mapping[Artifact, str], progress: Progress | None = None
) -> list[Placed]:
    """Artifacts that `revision` (a commit, whose artifacts are `trees`) lacks, with tree ids and first additions.

    Of several contents under one name each is told, and so is other content under a name that the revision has. Of a
    service, which changes, only what stands at the end of a branch, or what it began with where no branch has it.
    """
    branches, tags = _tips(repo)
    everywhere = read_additions(repo, store, [revision, *branches, *tags], progress)
    at_ends = _at_ends(repo, revision, branches)
    held = {artifact for artifact, _ in at_ends} | trees.keys()
    added = _trees_at(repo, _doubtful(everywhere, read_additions(repo, store, [revision]), trees, held))
    return _chosen(repo, trees, {*at_ends, *((artifact, tree) for artifact, _, tree in added)}, everywhere, added)


def _tips(repo: Repository) -> tuple[list[str], list[str]]:
    """The commits at which branches end, here and as last fetched, and those that tags name."""
    out = repo.git(
        "for-each-ref", "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname)",
        "refs/heads/", "refs/remotes/", "refs/tags/",
    )  # fmt: skip
    branches: dict[str, None] = {}
    tags: dict[str, None] = {}
    for line in os.fsdecode(out).splitlines():
        kind, oid, peeled_kind, peeled, name = line.split(" ", 4)
        commit = oid if kind == "commit" else peeled if peeled_kind == "commit" else ""
        if commit:
            (tags if name.startswith("refs/tags/") else branches)[commit] = None
    return sorted(branches), sorted(tags)


def _doubtful(
    everywhere: Additions, here: Additions, trees: Collection[Artifact], held: Collection[Artifact]
) -> list[tuple[Artifact, Addition]]:
    """Additions that may have brought what the revision lacks: all but the only one of an artifact it has."""
    found = []
    for path, additions in everywhere.items():
        artifact = artifact_of(f"{path}/x")
        if artifact is None or (not artifact.frozen and artifact in held):
            continue
        if artifact not in trees or len(additions) > 1 or path not in here:
            found += [(artifact, addition) for addition in additions]
    return found


def _trees_at(repo: Repository, asked: Iterable[tuple[Artifact, Addition]]) -> list[tuple[Artifact, Addition, str]]:
    """The tree of each artifact at the commit that added it, where both are here."""
    names = {f"{addition.commit}:{artifact.path}": (artifact, addition) for artifact, addition in asked}
    rows = repo.objects.lookup(names)
    return [(*names[name], row[0]) for name, row in rows if row is not None and row[1] == "tree"]


def _at_ends(repo: Repository, revision: str, branches: Iterable[str]) -> set[tuple[Artifact, str]]:
    """What stands at the ends of branches and not in the revision; directories that are the same are not read twice."""
    seen: set[tuple[str, str]] = set()
    for _ in _artifacts_below(repo, [revision], seen):
        pass
    return set(_artifacts_below(repo, branches, seen))


def _artifacts_below(
    repo: Repository, commits: Iterable[str], seen: set[tuple[str, str]]
) -> Iterator[tuple[Artifact, str]]:
    """Artifacts and their trees in the trees of `commits`; paths with tree ids in `seen` are passed over."""
    roots = {data[5 : data.index(b"\n")].decode() for _, kind, data in repo.objects.read_many(commits)
             if kind == "commit" and data is not None}  # fmt: skip
    level = [("", oid) for oid in sorted(roots)]
    for depth in range(3):
        below: dict[tuple[str, str], None] = {}
        for (folder, _), rows in zip(level, _rows(repo, [oid for _, oid in level]), strict=True):
            for row in rows:
                place = f"{folder}/{row.name}" if folder else row.name
                if row.is_tree and (folder or row.name in KINDS) and (place, row.oid) not in seen:
                    below[place, row.oid] = None
        seen |= below.keys()
        level = []
        for place, oid in below:
            artifact = artifact_of(f"{place}/x") if depth else None
            if artifact is not None and artifact.path == place:
                yield artifact, oid
            elif artifact is None:
                level.append((place, oid))


def _rows(repo: Repository, oids: Iterable[str]) -> Iterator[list[Row]]:
    """The rows of each tree; none where it is absent."""
    for _, kind, data in repo.objects.read_many(oids):
        yield parse_tree(data, repo.object_format) if kind == "tree" and data is not None else []


def _chosen(
    repo: Repository, trees: Mapping[Artifact, str], found: Collection[tuple[Artifact, str]], everywhere: Additions,
    added: Iterable[tuple[Artifact, Addition, str]],
) -> list[Placed]:  # fmt: skip
    """One of each content, the one with most signatures, placed at the first addition of that content."""
    rivals = {(artifact, trees[artifact]) for artifact, _ in found if artifact in trees}
    frozen = sorted({tree for artifact, tree in {*found, *rivals} if artifact.frozen})
    cores = dict(zip(frozen, (_core(rows) for rows in _rows(repo, frozen)), strict=True))
    here = {(artifact, cores.get(tree, (tree.encode(), 0))[0]) for artifact, tree in rivals}
    contents: dict[tuple[Artifact, bytes], list[tuple[int, str]]] = {}
    for artifact, tree in found:
        core, signatures = cores.get(tree, (tree.encode(), 0))
        if (artifact, core) not in here:
            contents.setdefault((artifact, core), []).append((-signatures, tree))
    first: dict[tuple[Artifact, bytes], Addition] = {}
    for artifact, new, tree in added:
        key = (artifact, cores.get(tree, (tree.encode(), 0))[0])
        first[key] = min(first.get(key, new), new)
    placed = []
    for (artifact, core), alike in contents.items():
        addition = first.get((artifact, core)) or next(iter(everywhere.get(artifact.path, ())), None)
        at = (artifact.kind, artifact.name, artifact.number, addition or Addition(0, ""))
        placed.append((at, (artifact, min(alike)[1], addition.commit if addition else None)))
    return [row for _, row in sorted(placed)]


def _core(rows: Iterable[Row]) -> tuple[bytes, int]:
    """A version's directory without what may still be added to it, and how much of that there is."""
    listed = list(rows)
    kept = [row for row in listed if row.is_tree or row.name not in ADDABLE]
    return render_tree(kept), len(listed) - len(kept)
