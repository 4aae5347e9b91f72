"""Which runs something else builds on, told by references found in the texts of a repository. Runs so named stay.

Deliberately blunt: whatever stands for a run's id in a record, a model, a service or a receipt, here, on another
branch, or in a model version that was registered, counts. To keep a run too many costs a little space; to take one too
many breaks a lineage.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from strata_git.contracts.layout import METADATA, RUN_ID, RUN_RECORD, Artifact
from strata_git.ledger.names import TAGS, parse_name
from strata_git.repo.command import Repository

_ID = re.compile(rb"(?<![A-Za-z0-9-])(" + RUN_ID.pattern.encode() + rb")(?![0-9])")
_RECEIPTS = "refs/strata/receipts/"
_TEXTS = ("metadata.yaml", RUN_RECORD, "service.yaml", "best.yaml", "strata.yaml")
_ROOTS = ("datasets", "models", "prompts", "runs", "services")


def citations(repo: Repository) -> Mapping[str, tuple[str, ...]]:
    """Run id -> who names it: paths of documents (`models/iris/v1/metadata.yaml`), references of receipts.

    Looked through are the documents of artifacts in the work tree and on every branch, here and as last fetched.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path, data in (*_on_disk(repo), *_on_branches(repo), *_registered(repo)):
        for match in set(_ID.findall(data)):
            run = match.decode()
            if path != f"runs/{run}/{RUN_RECORD}":
                found[run].add(path)
    for line in repo.git("for-each-ref", "--format=%(refname)", _RECEIPTS).splitlines():
        reference = os.fsdecode(line)
        run = reference.removeprefix(_RECEIPTS).partition("/")[0]
        if RUN_ID.fullmatch(run):
            found[run].add(reference)
    return {run: tuple(sorted(places)) for run, places in found.items()}


def _on_disk(repo: Repository) -> list[tuple[str, bytes]]:
    root, rows = repo.require_worktree(), []
    for top in _ROOTS:
        for directory, folders, files in os.walk(root / top):
            depth = len(os.path.relpath(directory, root).split(os.sep))
            if depth >= 3 or (top in ("runs", "services") and depth >= 2):
                folders.clear()
            for name in files:
                if name in _TEXTS:
                    place = os.path.join(directory, name)
                    try:
                        with open(place, "rb") as stream:
                            rows.append((os.path.relpath(place, root), stream.read(1 << 22)))
                    except OSError:
                        continue
    return rows


def _registered(repo: Repository) -> Iterator[tuple[str, bytes]]:
    """What models say of themselves that have events, wherever else they are no longer."""
    wanted = {}
    for line in repo.git("for-each-ref", "--format=%(refname)", TAGS).splitlines():
        reference = os.fsdecode(line)
        event = parse_name(reference.removeprefix(TAGS))
        if event is not None and event.version:
            path = f"{Artifact('model', event.model, event.version).path}/{METADATA}"
            wanted[f"{reference}:{path}"] = path
    for asked, found in repo.objects.lookup(wanted):
        if found is not None:
            yield wanted[asked], found[2]


def _on_branches(repo: Repository) -> list[tuple[str, bytes]]:
    """The same documents as the branches have them, each blob once."""
    listed = repo.git("for-each-ref", "--format=%(objectname) %(objecttype)", "refs/heads/", "refs/remotes/")
    tips = sorted({row.split(b" ")[0].decode() for row in listed.splitlines() if row.endswith(b" commit")})
    paths: dict[str, str] = {}
    for tip in tips:
        rows = repo.git("ls-tree", "-r", "-z", "--full-tree", tip, "--", *(f"{top}/" for top in _ROOTS))
        for row in rows.split(b"\0")[:-1]:
            meta, _, name = row.partition(b"\t")
            path = os.fsdecode(name)
            if path.rpartition("/")[2] in _TEXTS:
                paths[meta.split(b" ")[2].decode()] = path
    return [(paths[oid], data) for oid, kind, data in repo.objects.read_many(paths) if kind == "blob" and data]
