"""CHECKSUMS.txt made from what is staged, and put into the same commit (TFC-0008 §4).

Digests come from index blobs, and for Git LFS from the pointers, so the list is true of the commit whatever lies in the
working tree. The index is written with `update-index --cacheinfo` alone. After `git commit PATH` git throws the index
away that the hook saw; what was sealed is noted in the git directory and repaired by `settle` in post-commit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.contracts.layout import CHECKSUMS, SIGNATURE, UNSUMMED, Artifact
from strata_git.contracts.tree import REGULAR
from strata_git.integrity import checksums
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.staged import Change
from strata_git.repo.tree import ListedTree

RECORD = "strata/sealed"


@dataclass(frozen=True, slots=True)
class Seal:
    """A list to be put into the commit: where, its bytes, and their blob id."""

    artifact: Artifact
    data: bytes
    oid: str

    @property
    def path(self) -> str:
        """The repository path of the list."""
        return f"{self.artifact.path}/{CHECKSUMS}"


class SignedAlready(Exception):
    """Sealing would change a list under its signature."""


def plan_seal(repo: Repository, tree: ListedTree, artifact: Artifact) -> Seal | None:
    """The list for an artifact as staged in `tree`, or None when the staged one is right already.

    Raises SignedAlready when a signature stands over the list that would change, ValueError (ChecksumError) where a
    name cannot be listed; the rules tell of links, submodules and the rest.
    """
    sums = {}
    at = len(artifact.path) + 1
    entries = tree.under(artifact.path)
    tree.prefetch(entries)
    for entry in entries:
        name = entry.path[at:]
        if name not in UNSUMMED and entry.mode in REGULAR:
            sums[name] = tree.content(entry).sha256
    data = checksums.render(sums)
    staged = tree.get(f"{artifact.path}/{CHECKSUMS}")
    oid = repo.write_object("blob", data)
    if staged is not None and staged.oid == oid and staged.mode == "100644":
        return None
    if staged is not None and tree.get(f"{artifact.path}/{SIGNATURE}") is not None:
        raise SignedAlready(artifact.path)
    return Seal(artifact, data, oid)


def as_changes(repo: Repository, changes: Sequence[Change], seals: Sequence[Seal]) -> list[Change]:
    """The staged changes as they will be once `seals` are written."""
    sealed = {seal.path: seal for seal in seals}
    kept = [change for change in changes if change.path not in sealed]
    for path, seal in sealed.items():
        before = next((change for change in changes if change.path == path), None)
        old_mode, old_oid = (before.old_mode, before.old_oid) if before else ("000000", repo.null_oid)
        kept.append(Change(path, old_mode, "100644", old_oid, seal.oid, "A" if old_mode == "000000" else "M"))
    return kept


def write_seals(repo: Repository, seals: Sequence[Seal]) -> None:
    """Put the lists into the working tree and the index the commit is made from, and note them for `settle`.

    Files come first: where this is ended half way, the next commit finds lists to be staged, and none that is missing.
    """
    if not seals:
        return
    root = repo.require_worktree()
    for seal in seals:
        target = root / seal.path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, seal.data)
    lines = b"".join(f"100644 {seal.oid}\t".encode() + os.fsencode(seal.path) + b"\0" for seal in seals)
    repo.git("update-index", "--add", "-z", "--index-info", input=lines)
    note_sealed(repo, {seal.path: seal.oid for seal in seals})


def note_sealed(repo: Repository, blobs: Mapping[str, str]) -> None:
    """Remember, until the commit is made, what a hook put into its index: path -> blob id."""
    record = _record(repo)
    record.parent.mkdir(exist_ok=True)
    write_file(record, json.dumps({**_noted(repo), **blobs}).encode())


def forget_seals(repo: Repository) -> None:
    """Drop what an earlier commit that never happened has noted."""
    _record(repo).unlink(missing_ok=True)


def settle(repo: Repository) -> list[str]:
    """After a commit: give the index the sealed lists that the commit holds; the paths that were repaired.

    Needed after `git commit PATH`, harmless after any other. Only lists are touched whose commit holds exactly what was
    sealed.
    """
    sealed = _noted(repo)
    forget_seals(repo)
    if not sealed:
        return []
    committed = {oid_path for oid_path in _listed(repo, "HEAD", sealed) if sealed[oid_path[1]] == oid_path[0]}
    staged = _staged(repo, sealed)
    stale = [(oid, path) for oid, path in committed if staged.get(path) != oid]
    if stale:
        lines = b"".join(f"100644 {oid}\t".encode() + os.fsencode(path) + b"\0" for oid, path in stale)
        repo.git("update-index", "--add", "-z", "--index-info", input=lines)
    return sorted(path for _, path in stale)


def _listed(repo: Repository, revision: str, paths: dict[str, str]) -> list[tuple[str, str]]:
    from strata_git.repo.tree import commit_tree

    head = repo.resolve(revision)
    if head is None:
        return []
    return [(entry.oid, entry.path) for entry in commit_tree(repo, head, list(paths)).under("")]


def _staged(repo: Repository, paths: dict[str, str]) -> dict[str, str]:
    out = repo.git("ls-files", "-s", "-z", "--", *sorted(paths))
    rows = [record.partition(b"\t") for record in out.split(b"\0")[:-1]]
    return {os.fsdecode(path): meta.split(b" ")[1].decode() for meta, _, path in rows}


def _noted(repo: Repository) -> dict[str, str]:
    try:
        return {str(path): str(oid) for path, oid in json.loads(_record(repo).read_bytes()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _record(repo: Repository) -> Path:
    return repo.git_dir / RECORD
