"""An artifact version opened: its files with their digests, and what its documents say.

It is opened by its Git tree id, so a version of another branch, or one that was removed, is read like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from strata_git.contracts.tree import REGULAR
from strata_git.index.opened import DOCUMENTS, Contents
from strata_git.index.records import ArtifactRecord, FileRecord
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.tree import Entry, ListedTree, commit_tree

TEXT_LIMIT = 1 << 20
"""Bytes of a document that are read."""
BYTES_LIMIT = 512 << 20
"""Bytes of a payload file that is looked into."""


def read_contents(repo: Repository, record: ArtifactRecord) -> Contents:
    """Open a version. Small blobs are hashed, pointers believed; raises StrataError where its tree is not here."""
    tree = commit_tree(repo, record.tree)
    entries = list(tree.under(""))
    tree.prefetch(entries)
    files = tuple(_file(tree, entry) for entry in entries)
    texts = {
        name: text for name in DOCUMENTS[record.artifact.kind] if (text := _text(tree, tree.get(name))) is not None
    }
    return Contents(record, files, {name: _loaded(name, text) for name, text in texts.items()}, texts)


def read_texts(repo: Repository, record: ArtifactRecord, names: Iterable[str]) -> dict[str, str]:
    """Those of the named files that are here and short enough to be read."""
    found = {}
    for name in names:
        try:
            kind, data = repo.objects.read(f"{record.tree}:{name}", TEXT_LIMIT)
        except (KeyError, TooLarge):
            continue
        if kind == "blob":
            found[name] = data.decode("utf-8", "replace")
    return found


def read_documents(repo: Repository, record: ArtifactRecord, names: Iterable[str]) -> dict[str, object]:
    """Those of the named documents that can be read, as plain data."""
    return {name: _loaded(name, text) for name, text in read_texts(repo, record, names).items()}


def read_bytes(repo: Repository, record: ArtifactRecord, file: FileRecord) -> bytes | None:
    """The bytes of a payload file; None where they are not here (only a pointer is), or are too many.

    An LFS object is taken from the local store, never fetched.
    """
    if file.size > BYTES_LIMIT:
        return None
    if file.stored != "pointer":
        try:
            return repo.objects.read(f"{record.tree}:{file.name}", BYTES_LIMIT)[1]
        except (KeyError, TooLarge):
            return None
    try:
        handle = os.open(lfs_object(repo, file.sha256 or ""), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as stream:
            return stream.read(BYTES_LIMIT)
    except OSError:
        return None


def lfs_store(repo: Repository) -> Path:
    """Where git-lfs keeps objects: `lfs.storage`, relative to the git directory."""
    return repo.common_dir / (repo.user_config("lfs.storage") or "lfs") / "objects"


def lfs_object(repo: Repository, oid: str) -> Path:
    """The file that holds an LFS object, when it is here."""
    return lfs_store(repo) / oid[:2] / oid[2:4] / oid


def _file(tree: ListedTree, entry: Entry) -> FileRecord:
    if entry.mode not in REGULAR:
        return FileRecord(entry.path, None, 0, "other")
    try:
        content = tree.content(entry)
    except KeyError:
        return FileRecord(entry.path, None, 0, "absent")
    return FileRecord(entry.path, content.sha256, content.size, content.stored)


def _text(tree: ListedTree, entry: Entry | None) -> str | None:
    if entry is None or entry.mode not in REGULAR:
        return None
    try:
        return tree.read(entry, TEXT_LIMIT).decode("utf-8", "replace")
    except (KeyError, ValueError):
        return None


def _loaded(name: str, text: str) -> object:
    from strata_git.load import Unloadable, load_json, load_yaml

    try:
        return (load_json if name.endswith(".json") else load_yaml)(text.encode("utf-8", "replace")).value
    except Unloadable:
        return {}
