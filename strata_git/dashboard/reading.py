"""What the pages need from a repository, read once: objects and references alone, nothing of the working tree."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from strata_git.checks.catalog import RULESET
from strata_git.contracts.layout import ROOTS
from strata_git.contracts.tree import REGULAR, relative
from strata_git.dashboard.snapshot import Detail, Picture, Snapshot, snapshot_of
from strata_git.doctor.judge import judge_commit
from strata_git.doctor.verdict import Verdict
from strata_git.index.build import build
from strata_git.index.records import ArtifactRecord, FileRecord, Index
from strata_git.index.vouch import Verifier, vouched
from strata_git.ledger.remembered import answer_key
from strata_git.load import Unloadable, load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.tree import Entry, ListedTree, commit_tree

DOCUMENTS = frozenset({
    "metadata.yaml", "run.yaml", "config.yaml", "metrics.yaml", "prompt.yaml", "service.yaml", "system.json",
})  # fmt: skip
TEXTS = frozenset({"card.md", "logs.txt"})
LARGEST = 1 << 20
"""Largest document, text or picture that a page shows, in bytes."""
PICTURES = 8
"""Most pictures on one page."""
VOUCHED = 1000
"""Most commits whose signatures are checked for one state of the repository; of more only the claims are shown."""
_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def state_of(repo: Repository, revision: str = "HEAD") -> str:
    """A name for everything the pages depend on: the commit, every reference, the keys, the hour. Cheap.

    Raises StrataError where git cannot be asked.
    """
    return answer_key(repo, ["dashboard", repo.resolve(revision) or "", RULESET])


def title_of(repo: Repository) -> str:
    """What a repository is called where nobody says: its directory's name."""
    place = repo.worktree or repo.common_dir
    return (place.parent.name if place.name == ".git" else place.name.removesuffix(".git")) or "repository"


class Reader:
    """Reads one revision of a repository, and what single artifacts hold when they are asked for.

    `verifier` checks the signatures of commits. Raises StrataError when there is no such revision. Not to be shared
    between threads without a lock.
    """

    def __init__(
        self,
        repo: Repository,
        revision: str = "HEAD",
        verifier: Verifier | None = None,
        *,
        title: str = "",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        index = _read_whole(build(repo, revision, progress=progress))
        verdict = judge_commit(repo, index.revision) if index.revision else Verdict("no commit yet", ())
        self.snapshot: Snapshot = snapshot_of(index, verdict, title or title_of(repo))
        self._repo = repo
        self._verifier = verifier
        self._tree = commit_tree(repo, index.revision, ROOTS) if index.revision else ListedTree(repo, [])
        self._vouched: dict[str, ArtifactRecord] = {}

    @property
    def index(self) -> Index:
        """The index that was read."""
        return self.snapshot.index

    def prefetch(self, records: Iterable[ArtifactRecord]) -> None:
        """Learn the digests of all files of many artifacts in one sweep."""
        self._tree.prefetch(entry for record in records for entry in self._tree.under(record.artifact.path))

    def detail(self, record: ArtifactRecord) -> Detail:
        """What the artifact's own files tell."""
        directory = record.artifact.path
        files: list[FileRecord] = []
        documents: dict[str, object] = {}
        texts: dict[str, str] = {}
        pictures: list[Picture] = []
        for entry in self._tree.under(directory):
            name = relative(entry.path, directory)
            file = self._file(name, entry)
            files.append(file)
            if file.stored != "blob" or file.size > LARGEST:
                picture = self._pointed(file) if len(pictures) < PICTURES else None
            else:
                picture = self._pictured(file, entry) if len(pictures) < PICTURES else None
                if name in DOCUMENTS:
                    documents[name] = self._document(name, entry)
                elif name in TEXTS:
                    texts[name] = self._bytes(entry).decode("utf-8", "replace")
            pictures += [picture] if picture else []
        return Detail(self._vouch(record), tuple(files), documents, texts, tuple(pictures))

    def picture(self, picture: Picture, record: ArtifactRecord) -> bytes | None:
        """The bytes of a picture that `detail` named."""
        entry = self._tree.get(f"{record.artifact.path}/{picture.name}")
        data = self._bytes(entry) if entry else b""
        if hashlib.sha256(data).hexdigest() == picture.sha256:
            return data
        return self._stored(picture.sha256)

    def _file(self, name: str, entry: Entry) -> FileRecord:
        if entry.mode not in REGULAR:
            return FileRecord(name, None, 0, "other")
        try:
            content = self._tree.content(entry)
        except KeyError:
            return FileRecord(name, None, 0, "absent")
        return FileRecord(name, content.sha256, content.size, content.stored)

    def _document(self, name: str, entry: Entry) -> object:
        load = load_json if name.endswith(".json") else load_yaml
        try:
            return load(self._bytes(entry)).value
        except Unloadable:
            return None

    def _bytes(self, entry: Entry) -> bytes:
        try:
            return self._tree.read(entry, LARGEST)
        except (KeyError, TooLarge):
            return b""

    def _pictured(self, file: FileRecord, entry: Entry) -> Picture | None:
        if not file.name.lower().endswith((".png", ".jpg", ".jpeg")):
            return None
        return _picture(file, self._bytes(entry))

    def _pointed(self, file: FileRecord) -> Picture | None:
        """A picture that Git LFS keeps, where its bytes are here."""
        if not file.name.lower().endswith((".png", ".jpg", ".jpeg")) or file.size > LARGEST or not file.sha256:
            return None
        data = self._stored(file.sha256) if file.stored == "pointer" else None
        return _picture(file, data) if data else None

    def _stored(self, sha256: str) -> bytes | None:
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            return None
        place = self._repo.common_dir / "lfs" / "objects" / sha256[:2] / sha256[2:4] / sha256
        with contextlib.suppress(OSError):
            if place.is_file() and place.stat().st_size <= LARGEST:
                data = place.read_bytes()
                return data if hashlib.sha256(data).hexdigest() == sha256 else None
        return None

    def _vouch(self, record: ArtifactRecord) -> ArtifactRecord:
        """`record` with the signature of its commit checked, each commit once."""
        introduced = record.introduced
        if introduced is None or introduced.signature is None:
            return record
        known = self._vouched.get(introduced.commit)
        if known is None and len(self._vouched) < VOUCHED:
            known = self._vouched.setdefault(introduced.commit, vouched(self._repo, record, self._verifier))
        return replace(record, introduced=known.introduced) if known else record


def _read_whole(index: Index) -> Index:
    """The index with all that pages show read now, by whoever opened it: later readers may be other threads."""
    return Index(
        index.revision,
        artifacts=index.artifacts,
        removed=index.removed,
        events=index.events,
        findings=index.findings,
        complaints=index.complaints,
        commits=index.commits,
        shallow=index.shallow,
    )


def _picture(file: FileRecord, data: bytes) -> Picture | None:
    kind = next((suffix for magic, suffix in _MAGIC.items() if data.startswith(magic)), None)
    return Picture(file.name, file.sha256, kind) if kind and file.sha256 else None
