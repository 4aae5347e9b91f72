"""What each version holds, as git and Git LFS store it: object by object, read for many versions in a few sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from strata_git.contracts.tree import REGULAR
from strata_git.index.contents import lfs_store
from strata_git.index.opened import Held, Stored
from strata_git.index.records import ArtifactRecord
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer
from strata_git.repo.scan import parse_tree


def read_holdings(repo: Repository, records: Iterable[ArtifactRecord]) -> dict[str, tuple[Held, ...]]:
    """Tree id -> what lies in it, for every record's tree. Trees that are absent hold nothing."""
    trees = sorted({record.tree for record in records if record.tree})
    listed = _listed(repo, trees)
    blobs = sorted({oid for files in listed.values() for _, oid in files})
    objects = _objects(repo, blobs)
    return {tree: tuple(Held(name, objects[oid]) for name, oid in files) for tree, files in listed.items()}


def _listed(repo: Repository, trees: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Tree id -> (name, blob id) of all files below it, level by level and each tree read once."""
    found: dict[str, list[tuple[str, str]]] = {tree: [] for tree in trees}
    level: dict[str, list[tuple[str, str]]] = {tree: [(tree, "")] for tree in trees}
    while level:
        below: dict[str, list[tuple[str, str]]] = {}
        for oid, kind, data in repo.objects.read_many(sorted(level)):
            if kind != "tree" or data is None:
                continue
            for row in parse_tree(data, repo.object_format):
                for root, prefix in level[oid]:
                    if row.is_tree:
                        below.setdefault(row.oid, []).append((root, f"{prefix}{row.name}/"))
                    elif row.mode in REGULAR:
                        found[root].append((prefix + row.name, row.oid))
        level = below
    return found


def _objects(repo: Repository, blobs: Sequence[str]) -> Mapping[str, Stored]:
    sizes = _sizes(repo, blobs)
    small = [oid for oid in blobs if oid in sizes and sizes[oid][0] <= POINTER_LIMIT]
    store = lfs_store(repo)
    found = {}
    for oid in blobs:
        size, disk = sizes.get(oid, (0, 0))
        found[oid] = Stored("git", oid, size, disk, oid in sizes)
    for oid, _, data in repo.objects.read_many(small):
        pointer = parse_pointer(data) if data is not None else None
        if pointer is not None:
            here = (store / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid).is_file()
            found[oid] = Stored("lfs", pointer.oid, pointer.size, pointer.size if here else 0, here)
    return found


def _sizes(repo: Repository, blobs: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Size and size on disk of the blobs that are here."""
    if not blobs:
        return {}
    form = "--batch-check=%(objectname) %(objectsize) %(objectsize:disk)"
    told = repo.try_git("cat-file", form, input="".join(f"{oid}\n" for oid in blobs).encode()).out
    rows = (line.split(" ") for line in told.decode(errors="replace").splitlines())
    return {row[0]: (int(row[1]), int(row[2])) for row in rows if len(row) == 3 and row[1].isdigit()}
