"""A tree whose digests come from the bytes themselves: the files on the disk, or Git LFS's local objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact
from strata_git.integrity.digest import sha256_files
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, Pointer, parse_pointer
from strata_git.repo.tree import Content, ListedTree, Place

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
        self.unseen: set[str] = set()

    def prefetch(self, entries: Iterable[Place]) -> None:
        """Hash these files now."""
        listed = [entry for entry in entries if entry.mode in ("100644", "100755")]
        if self._on_disk:
            self._hash_disk([entry.path for entry in listed])
            return
        self._base.prefetch(listed)
        for entry in listed:
            try:
                content = self._base.content(entry)
            except KeyError:
                continue
            if content.stored == "pointer":
                content = self._object(entry.path, Pointer(content.sha256, content.size))
            self._hashed[entry.path] = content

    def read(self, entry: Place, limit: int = 64 << 20) -> bytes:
        """The bytes that Git holds."""
        return self._base.read(entry, limit)

    def content(self, entry: Place) -> Content:
        """Digest and size, from the bytes where they are here."""
        return self._hashed.get(entry.path) or self._base.content(entry)

    def _hash_disk(self, paths: list[str]) -> None:
        root = self._git.require_worktree()
        for path, hex_, size in sha256_files(paths, root=root, progress=self._progress):
            pointer = parse_pointer((root / path).read_bytes()) if _SHORTEST_POINTER < size <= POINTER_LIMIT else None
            self._hashed[path] = self._object(path, pointer) if pointer else Content(hex_, size, "blob")

    def _object(self, path: str, pointer: Pointer) -> Content:
        file = self._store() / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid
        if not file.is_file():
            self.unseen.add(path)
            return Content(pointer.oid, pointer.size, "pointer")
        ((_, hex_, size),) = sha256_files([file], progress=self._progress)
        return Content(hex_, size, "blob")

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

    tree = DeepTree(repo, files, on_disk=on_disk)
    findings: list[Finding] = []
    for artifact in artifacts:
        tree.prefetch(tree.under(artifact.path))
        exhibit = Exhibit.of(tree, artifact)
        findings += judge(exhibit, read_document(exhibit, exhibit.record)).findings
        if progress is not None:
            progress(1)
    return findings, len(tree.unseen)
