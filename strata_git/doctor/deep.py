"""A tree whose digests come from the bytes themselves: the files on the disk, or Git LFS's local objects."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact
from strata_git.integrity.digest import sha256_files
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, Pointer, parse_pointer
from strata_git.repo.tree import Content, ListedTree, Place
from strata_git.repo.worktree import read_plain

READ_LIMIT = 1 << 30
"""Bytes of a file that is read as a whole."""

_SHORTEST_POINTER = 100  # bytes


class DeepTree(ListedTree):
    """`base` with every file hashed when it is prefetched; `unseen` holds paths of which only a pointer is here.

    `on_disk` says that `base` is the work tree. `progress` is told bytes hashed.
    """

    def __init__(
        self, repo: Repository, base: ListedTree, *, on_disk: bool, progress: Callable[[int], None] | None = None
    ) -> None:
        super().__init__(repo, base.under(""))
        self._git = repo
        self._base = base
        self._on_disk = on_disk
        self._progress = progress
        self._hashed: dict[str, Content] = {}
        self._pointers: dict[str, Pointer] = {}
        self.unseen: set[str] = set()

    def prefetch(self, entries: Iterable[Place]) -> None:
        """Hash these files now, all in one go: large ones side by side."""
        listed = [entry for entry in entries if entry.mode in ("100644", "100755")]
        pointers: dict[str, Pointer] = {}
        if self._on_disk:
            pointers = self._hash_disk([entry.path for entry in listed])
            self._pointers |= pointers
        else:
            self._base.prefetch(listed)
            for entry in listed:
                try:
                    content = self._base.content(entry)
                except KeyError:
                    continue
                if content.stored == "pointer":
                    pointers[entry.path] = Pointer(content.sha256, content.size)
                else:
                    self._hashed[entry.path] = content
        self._hash_objects(pointers)

    def read(self, entry: Place, limit: int = 64 << 20) -> bytes:
        """The bytes that Git holds."""
        return self._base.read(entry, limit)

    def content(self, entry: Place) -> Content:
        """Digest and size, from the bytes where they are here."""
        return self._hashed.get(entry.path) or self._base.content(entry)

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file, and not of the pointer that stands for it. Raises OSError, KeyError or ValueError."""
        place = self.get(path)
        if place is None:
            raise KeyError(path)
        base = self._base.content(place)
        if self._on_disk:
            pointer = self._pointers.get(path)
            file = self._object_file(pointer.oid) if pointer else self._git.require_worktree() / path
        elif base.stored == "pointer":
            file = self._object_file(base.sha256)
        else:
            return self._base.read(place, READ_LIMIT)
        with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            return stream.read(READ_LIMIT)

    def _object_file(self, oid: str) -> Path:
        return self._store() / oid[:2] / oid[2:4] / oid

    def _hash_disk(self, paths: list[str]) -> dict[str, Pointer]:
        """Hash files of the work tree; what lies there as a pointer is handed back."""
        root = self._git.require_worktree()
        pointers: dict[str, Pointer] = {}
        for path, hex_, size in sha256_files(paths, root=root, progress=self._progress):
            small = _SHORTEST_POINTER < size <= POINTER_LIMIT
            pointer = parse_pointer(read_plain(self._git, path, POINTER_LIMIT) or b"") if small else None
            if pointer is not None:
                pointers[path] = pointer
            else:
                self._hashed[path] = Content(hex_, size, "blob")
        return pointers

    def _hash_objects(self, pointers: Mapping[str, Pointer]) -> None:
        here = {}
        for path, pointer in pointers.items():
            file = self._object_file(pointer.oid)
            if file.is_file():
                here[path] = file
            else:
                self.unseen.add(path)
                self._hashed[path] = Content(pointer.oid, pointer.size, "pointer")
        done = sha256_files(list(here.values()), progress=self._progress)
        for path, (_, hex_, size) in zip(here, done, strict=True):
            self._hashed[path] = Content(hex_, size, "blob")

    def _store(self) -> Path:
        """Where git-lfs keeps objects: `lfs.storage`, relative to the git directory."""
        return self._git.common_dir / (self._git.user_config("lfs.storage") or "lfs") / "objects"


def judge_bytes(
    repo: Repository, files: ListedTree, artifacts: Iterable[Artifact], *, on_disk: bool,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[Finding], int]:  # fmt: skip
    """Findings on the bytes of artifacts in place of their pointers, and how many files are here as pointers only.

    `files` lists the artifacts; `progress` is told artifacts. Raises StrataError for a file that cannot be read.
    """
    from strata_git.checks.checksums import judge
    from strata_git.checks.documents import read_document
    from strata_git.checks.exhibit import Exhibit
    from strata_git.doctor.cache import Cache
    from strata_git.doctor.scan import judge_model_bytes
    from strata_git.integrity.scan_picklescan import installed_scanners

    tree = DeepTree(repo, files, on_disk=on_disk)
    cache = Cache(repo.cache_dir / "verdicts.sqlite")
    findings: list[Finding] = []
    try:
        for artifact in artifacts:
            tree.prefetch(tree.under(artifact.path))
            exhibit = Exhibit.of(tree, artifact)
            record = read_document(exhibit, exhibit.record)
            findings += judge(exhibit, record).findings
            findings += judge_model_bytes(exhibit, record, tree.read_bytes, cache, installed_scanners())
            if progress is not None:
                progress(1)
    finally:
        cache.close()
    return findings, len(tree.unseen)
