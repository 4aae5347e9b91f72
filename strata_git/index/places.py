"""On which branches and tags an artifact's very content lies.

Tips that share a directory (`models/`, then `models/NAME/`) are answered by one look at it, so the work follows what
differs between the tips and not how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from strata_git.contracts.layout import ROOT_OF
from strata_git.index.impact import Key, key_of
from strata_git.index.records import ArtifactRecord
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs
from strata_git.repo.scan import parse_tree

PREFIXES = {"refs/heads/": "", "refs/remotes/": "", "refs/tags/": "tag "}
MOST = 100
"""Names that are told of one artifact."""


def read_places(
    repo: Repository, records: Iterable[ArtifactRecord], *, tags: bool = False
) -> dict[Key, tuple[str, ...]]:
    """For each record the branches (and tags) whose tip has that tree at its path: the first 100, in name order."""
    wanted = {key_of(record): record for record in records if record.tree}
    found: dict[Key, list[str]] = {key: [] for key in wanted}
    if not wanted:
        return {}
    refs = [
        (ref.oid, label + ref.name.removeprefix(prefix))
        for prefix, label in PREFIXES.items()
        if tags or not label
        for ref in list_refs(repo, prefix)
        if not ref.name.endswith("/HEAD")
    ]
    for root in sorted({ROOT_OF[record.artifact.kind] for record in wanted.values()}):
        mine = {key: record for key, record in wanted.items() if ROOT_OF[record.artifact.kind] == root}
        held: dict[str, list[str]] = {}  # directory -> tips that have it, one for all that share it
        for oid, (_, name) in zip(_object_ids(repo, [f"{oid}^{{tree}}:{root}" for oid, _ in refs]), refs, strict=True):
            if oid:
                held.setdefault(oid, []).append(name)
        for directory, keys in _present(repo, list(held), mine).items():
            for key in keys:
                found[key] += held[directory][: MOST - len(found[key])]
    order = {name: place for place, (_, name) in enumerate(refs)}
    return {key: tuple(sorted(names, key=order.__getitem__)) for key, names in found.items()}


def _present(repo: Repository, roots: Sequence[str], wanted: Mapping[Key, ArtifactRecord]) -> dict[str, list[Key]]:
    """Which of the wanted contents each of the trees `roots` (of `models/` and the like) has."""
    names = {record.artifact.name for record in wanted.values()}
    below = {root: {n: oid for n, oid in rows.items() if n in names} for root, rows in _trees(repo, roots).items()}
    deep = any(record.artifact.version for record in wanted.values())
    versions = _trees(repo, sorted({oid for rows in below.values() for oid in rows.values()})) if deep else {}
    by_name: dict[str, list[tuple[Key, ArtifactRecord]]] = {}
    for key, record in wanted.items():
        by_name.setdefault(record.artifact.name, []).append((key, record))
    found: dict[str, list[Key]] = {}
    for root, rows in below.items():
        for name, oid in rows.items():
            for key, record in by_name[name]:
                version = record.artifact.version
                if (versions.get(oid, {}).get(version) if version else oid) == record.tree:
                    found.setdefault(root, []).append(key)
    return found


def _trees(repo: Repository, oids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Tree id -> name -> id of what lies in it; absent trees hold nothing."""
    return {
        oid: {row.name: row.oid for row in parse_tree(data, repo.object_format)} if kind == "tree" and data else {}
        for oid, kind, data in repo.objects.read_many(oids)
    }


def _object_ids(repo: Repository, names: Sequence[str]) -> list[str]:
    """The id of each named object, `""` where there is none."""
    if not names:
        return []
    told = repo.git("cat-file", "--batch-check=%(objectname)", input="".join(f"{name}\n" for name in names).encode())
    lines = told.decode(errors="replace").split("\n")[: len(names)]
    return ["" if line.endswith((" missing", " ambiguous")) else line for line in lines]
