"""What is in an artifact version: its files, and what its documents say. Pure; `index.contents` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strata_git.index.records import ArtifactRecord, FileRecord

DOCUMENTS = {
    "dataset": ("metadata.yaml",),
    "model": ("metadata.yaml", "metrics.yaml"),
    "prompt": ("metadata.yaml", "prompt.yaml"),
    "run": ("run.yaml", "config.yaml", "metrics.json", "system.json"),
    "service": ("service.yaml",),
}
"""The files of a kind that say something about it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A version with its files, sorted by name, and its documents as plain data (`{}` for one that is not readable)."""

    record: ArtifactRecord
    files: tuple[FileRecord, ...]
    documents: Mapping[str, object]
    texts: Mapping[str, str]

    def said(self, name: str) -> object:
        """What the document `name` says."""
        return self.documents.get(name, {})


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: `store` is `git` (id: the blob's) or `lfs` (id: the SHA-256). `size` in bytes, `disk` what it takes
    here as git packs it (a delta may be tiny), `here` whether its bytes are in this clone."""

    store: str
    id: str
    size: int
    disk: int
    here: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A file of a version, by its name below the artifact's directory, and the object that it is."""

    name: str
    object: Stored


def unread(records: Iterable[ArtifactRecord]) -> tuple[ArtifactRecord, ...]:
    """Those of `records` of which only the place is known, because the objects that tell more are not in this clone."""
    return tuple(one for one in records if not one.complete and not (one.created or one.inputs or one.run))
