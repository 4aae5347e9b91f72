"""What a run processed, as the next version of a dataset whose provenance names the run and, by digest, the sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from strata_git.authoring.dataset import AddedDataset, DatasetRequest, add_dataset
from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, VERSION, Artifact
from strata_git.errors import UsageError, printable
from strata_git.integrity import checksums
from strata_git.integrity.digest import sha256_files
from strata_git.pipeline.process import CHUNKS, DOCUMENTS, SOURCES
from strata_git.repo.command import Repository

SPLITS = {"documents": DOCUMENTS, "chunks": CHUNKS, "sources": SOURCES}
"""The version's splits: a file of lines each."""


def require_name(name: str) -> None:
    """Raise UsageError for what cannot name a dataset, before anything is computed."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{printable(name)}' cannot name a dataset.",
            hint="A name is lower-case letters and digits, joined by single - or _.",
        )


def unchanged(repo: Repository, name: str, artifacts: Path) -> Artifact | None:
    """The newest version of the dataset here, when it holds exactly what the run made."""
    home = repo.require_worktree() / "datasets" / name
    versions = [entry.name for entry in home.iterdir() if VERSION.fullmatch(entry.name)] if home.is_dir() else []
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version[1:]))
    hashed = {path: sha256 for path, sha256, _ in sha256_files(list(SPLITS.values()), root=artifacts)}
    wanted = {f"{split}/{file}": hashed[file] for split, file in SPLITS.items()}
    try:
        listed = dict(checksums.parse((home / newest / CHECKSUMS).read_bytes()))
    except (OSError, checksums.ChecksumError):
        return None
    listed.pop(METADATA, None)
    return Artifact("dataset", name, newest) if listed == wanted else None


def add(repo: Repository, name: str, run: str, *, source: str, now: datetime | None = None) -> AddedDataset:
    """Make the next version of `name` out of the record of `run`; `source` says where the documents came from."""
    request = DatasetRequest(
        source=repo.require_worktree() / "runs" / run / "artifacts",
        name=name,
        splits=tuple(SPLITS.items()),
        given=source,
        description=f"Documents and chunks of {source}.",
        process=f"git strata process ({run})",
        parents=(run,),
    )
    return add_dataset(repo, request, now=now)
