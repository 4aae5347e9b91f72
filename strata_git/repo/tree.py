"""Trees: the working tree, the index, a commit and a dict, all read through one shape.

Each satisfies `strata_git.contracts.tree.Tree` without knowing it. The index is read as what would be committed
(`git diff-index --cached` over HEAD), which is right in partial commits (`git commit PATH` hands hooks a temporary
index through GIT_INDEX_FILE) and leaves out intent-to-add entries, as the commit will.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol
from weakref import WeakKeyDictionary

from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, looks_like_pointer, parse_pointer
from strata_git.repo.objects import TooLarge
from strata_git.repo.staged import Change, staged_changes

READ_LIMIT = 64 << 20
_KNOWN: WeakKeyDictionary[Repository, dict[str, Content]] = WeakKeyDictionary()
"""What blobs stand for, by their ids: learnt once for all trees of a repository."""
_LISTED: WeakKeyDictionary[Repository, dict[tuple[str, ...], bytes]] = WeakKeyDictionary()
"""Answers of `git ls-tree` on objects, which never change: `_MOST` of at most `_SHORT` bytes."""
_SHORT, _MOST = 64 << 10, 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: repository path, git mode, blob id."""

    path: str
    mode: str
    oid: str


@dataclass(frozen=True, slots=True)
class Content:
    """SHA-256 (hex) and size in bytes of what an entry stands for; `stored`: blob, pointer or malformed."""

    sha256: str
    size: int
    stored: str


class Place(Protocol):
    """Anything that says where a blob lies: our entries, and those of the floors above."""

    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def oid(self) -> str: ...


def content_of(data: bytes, sha256: str | None = None) -> Content:
    """The content that a blob's bytes stand for."""
    pointer = parse_pointer(data)
    if pointer is not None:
        return Content(pointer.oid, pointer.size, "pointer")
    stored = "malformed" if looks_like_pointer(data) else "blob"
    return Content(sha256 or hashlib.sha256(data).hexdigest(), len(data), stored)


class ListedTree:
    """A tree over a list of entries whose blobs are in the object store."""

    def __init__(self, repo: Repository | None, entries: Iterable[Entry]) -> None:
        self._repo = repo
        keyed = sorted([(_order(entry), entry) for entry in entries], key=itemgetter(0))
        self._entries = [entry for _, entry in keyed]
        self._keys = [key for key, _ in keyed]
        self._contents: dict[str, Content] = {} if repo is None else _KNOWN.setdefault(repo, {})

    def get(self, path: str) -> Entry | None:
        """The entry at exactly `path`."""
        key = os.fsencode(path)
        at = bisect_left(self._keys, key)
        return self._entries[at] if at < len(self._keys) and self._keys[at] == key else None

    def under(self, prefix: str) -> Sequence[Entry]:
        """Every file below the directory `prefix`, sorted bytewise."""
        if not prefix:
            return self._entries
        key = os.fsencode(prefix)
        return self._entries[bisect_left(self._keys, key + b"/") : bisect_left(self._keys, key + b"0")]

    def read(self, entry: Place, limit: int = READ_LIMIT) -> bytes:
        """The blob's bytes; TooLarge (a ValueError) above `limit`, KeyError when the object is absent."""
        if self._repo is None:
            raise KeyError(entry.oid)
        return self._repo.objects.read(entry.oid, limit)[1]

    def content(self, entry: Place) -> Content:
        """Digest and size of what the entry stands for; pointers cost no byte of the object."""
        known = self._contents.get(entry.oid)
        if known is None:
            if self._repo is None:
                raise KeyError(entry.oid)
            known = _content(*self._repo.objects.digest(entry.oid, keep=POINTER_LIMIT))
            self._contents[entry.oid] = known
        return known

    def prefetch(self, entries: Iterable[Place]) -> None:
        """Learn the contents of many small entries in one sweep."""
        if self._repo is None:
            return
        wanted = {entry.oid for entry in entries if entry.oid not in self._contents and entry.mode != "160000"}
        for oid, row in self._repo.objects.digest_many(wanted, keep=POINTER_LIMIT):
            if row is not None:
                self._contents[oid] = _content(*row)


def learn(repo: Repository, oid: str, data: bytes) -> None:
    """What the blob `oid` stands for, where its bytes were read already."""
    _KNOWN.setdefault(repo, {})[oid] = content_of(data)


def _content(sha256: str, size: int, body: bytes) -> Content:
    return content_of(body, sha256) if size <= POINTER_LIMIT else Content(sha256, size, "blob")


class OverlayTree(ListedTree):
    """Another tree with some files replaced, added (bytes) or removed (None). Nothing is stored."""

    def __init__(self, base: ListedTree, changes: Mapping[str, bytes | None], object_format: str = "sha1") -> None:
        self._base = base
        self._bytes = {}
        added = []
        for path, data in changes.items():
            if data is not None:
                before = base.get(path)
                entry = Entry(path, before.mode if before else "100644", blob_oid(data, object_format))
                self._bytes[entry.oid] = data
                added.append(entry)
        kept = [entry for entry in base.under("") if entry.path not in changes]
        super().__init__(None, [*kept, *added])

    def read(self, entry: Place, limit: int = READ_LIMIT) -> bytes:
        """The overlaid bytes, or the base's."""
        data = self._bytes.get(entry.oid)
        return self._base.read(entry, limit) if data is None else data

    def content(self, entry: Place) -> Content:
        """Digest and size of the overlaid bytes, or of the base's entry."""
        data = self._bytes.get(entry.oid)
        return self._base.content(entry) if data is None else content_of(data)


class MemoryTree(ListedTree):
    """A tree from a dict, for tests and for judging what is not stored yet. A value is bytes or `(bytes, mode)`."""

    def __init__(self, files: Mapping[str, bytes | tuple[bytes, str]], object_format: str = "sha1") -> None:
        self._bytes: dict[str, bytes] = {}
        entries = []
        for path, value in files.items():
            data, mode = value if isinstance(value, tuple) else (value, "100644")
            oid = blob_oid(data, object_format)
            self._bytes[oid] = data
            entries.append(Entry(path, mode, oid))
        super().__init__(None, entries)

    def read(self, entry: Place, limit: int = READ_LIMIT) -> bytes:
        """The bytes given."""
        data = self._bytes[entry.oid]
        if len(data) > limit:
            raise TooLarge(f"{len(data)} bytes, more than {limit}")
        return data

    def content(self, entry: Place) -> Content:
        """Digest and size of the bytes given."""
        return content_of(self._bytes[entry.oid])


def commit_tree(repo: Repository, revision: str, paths: Collection[str] | None = None) -> ListedTree:
    """The files of a commit (or tree) id; with `paths` only those and what lies below them."""
    args = ["ls-tree", "-r", "-z", "--full-tree", revision]
    if paths is not None and len(paths) <= 200:
        if not paths:
            return ListedTree(repo, [])
        args += ["--", *sorted(paths)]
    entries = []
    for record in _listing(repo, args).split(b"\0")[:-1]:
        meta, _, path = record.partition(b"\t")
        mode, _, oid = meta.decode().split(" ")
        entries.append(Entry(os.fsdecode(path), mode, oid))
    return ListedTree(repo, entries)


def _listing(repo: Repository, args: list[str]) -> bytes:
    """What `git ls-tree` prints; what is short is asked once: a hook wants the same few directories several times."""
    known = _LISTED.setdefault(repo, {})
    asked = tuple(args)
    if asked not in known:
        listed = repo.git(*args)
        if len(listed) > _SHORT or len(known) >= _MOST or not _is_object_id(repo, args[4]):
            return listed
        known[asked] = listed
    return known[asked]


def _is_object_id(repo: Repository, revision: str) -> bool:
    return len(revision) == len(repo.null_oid) and not revision.strip("0123456789abcdef")


def index_tree(
    repo: Repository, paths: Collection[str] | None = None, changes: Sequence[Change] | None = None
) -> ListedTree:
    """What the next commit would hold: HEAD with the staged changes applied; with `paths` only below those."""
    if changes is None:
        changes = staged_changes(repo, paths)
    head = repo.head()
    base = commit_tree(repo, head, paths).under("") if head else []
    return ListedTree(repo, apply_changes(base, changes))


def apply_changes(base: Sequence[Entry], changes: Sequence[Change]) -> list[Entry]:
    """The entries of `base` after `changes`."""
    changed = {change.path for change in changes}
    kept = [entry for entry in base if entry.path not in changed]
    return kept + [Entry(c.path, c.new_mode, c.new_oid) for c in changes if c.status != "D"]


def blob_oid(data: bytes, object_format: str = "sha1") -> str:
    """The id git gives a blob of these bytes."""
    sha = hashlib.new(object_format, usedforsecurity=False)
    sha.update(b"blob %d\0" % len(data))
    sha.update(data)
    return sha.hexdigest()


def tree_oid(entries: Sequence[Entry], directory: str, object_format: str = "sha1") -> str:
    """The id git gives the tree that `entries` (all below `directory`) make."""
    cut = len(os.fsencode(directory)) + 1 if directory else 0
    return _tree_oid([(os.fsencode(e.path)[cut:], e.mode, e.oid) for e in entries], object_format)


def _tree_oid(items: list[tuple[bytes, str, str]], object_format: str) -> str:
    """Deepest directories first, without recursion: how deep a tree is, is not ours to say."""
    folders: dict[bytes, list[tuple[bytes, bytes, bytes]]] = {b"": []}
    for path, mode, oid in items:
        folder, _, name = path.rpartition(b"/")
        folders.setdefault(folder, []).append((name, mode.encode(), bytes.fromhex(oid)))
        while folder:
            folder = folder.rpartition(b"/")[0]
            if folder in folders:
                break
            folders[folder] = []
    for folder in sorted(folders, key=lambda path: path.count(b"/"), reverse=True):
        if folder:
            parent, _, name = folder.rpartition(b"/")
            oid = _rows_oid(folders[folder], object_format)
            folders[parent].append((name + b"/", b"40000", bytes.fromhex(oid)))
    return _rows_oid(folders[b""], object_format)


def _rows_oid(rows: list[tuple[bytes, bytes, bytes]], object_format: str) -> str:
    rows.sort()
    body = b"".join(mode + b" " + name.rstrip(b"/") + b"\0" + oid for name, mode, oid in rows)
    sha = hashlib.new(object_format, usedforsecurity=False)
    sha.update(b"tree %d\0" % len(body))
    sha.update(body)
    return sha.hexdigest()


def _order(entry: Entry) -> bytes:
    return entry.path.encode() if entry.path.isascii() else os.fsencode(entry.path)
