"""A model version made from a committed run: the file copied, measured facts and provenance written beside it.

The run's own description (`artifacts/model.json`, strata/model-output/v1) says which file is the model and how it was
measured. Everything is read from HEAD; only the model's bytes come from the work tree, verified against HEAD.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strata_git.authoring.commit import commit_command
from strata_git.authoring.model_card import card_text, metrics_text
from strata_git.authoring.model_source import RunModel, read_run_model
from strata_git.config import Settings
from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, VERSION, Artifact
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository

CARD, METRICS = "card.md", "metrics.yaml"


@dataclass(frozen=True, slots=True)
class CreatedModel:
    """A model version in the work tree, not yet committed."""

    artifact: Artifact
    run: str
    digest: str
    files: tuple[str, ...]
    bytes: int

    @property
    def message(self) -> str:
        """What the commit that adds it should say."""
        return f"Add {self.artifact.reference} from {self.run}"


def create_model(
    repo: Repository,
    settings: Settings,  # noqa: ARG001 - every use case takes them; what a model says depends on none yet
    name: str,
    run_id: str,
    *,
    description: str = "",
    licence: str = "unknown",
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
) -> CreatedModel:
    """Write the next version of model `name` from the model that run `run_id` made.

    Raises UsageError for a malformed name or id; StrataError when the run is not committed, did not succeed, made no
    model or has other bytes than HEAD says, and while another version of the same model waits to be committed.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"'{printable(name)}' is not a name: lower-case letters and digits, joined by single - or _.")
    root = repo.require_worktree()
    source = read_run_model(repo, run_id, progress=progress)
    artifact = Artifact("model", name, f"v{next_version(repo, root, name)}")
    created = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = description.strip() or f"{source.task.replace('-', ' ')} by {source.framework} from {source.run}"
    home = root / artifact.path
    draft = home.with_name(f".{artifact.version}.{os.getpid()}.draft")
    draft.mkdir(parents=True)
    try:
        digest, files, size = _write(draft, artifact, source, about=about, licence=licence, created=created)
        os.rename(draft, home)
    except OSError as error:
        raise StrataError(f"{artifact.path} could not be put in place: {error.strerror}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return CreatedModel(artifact, source.run, digest, files, size)


def _write(
    draft: Path, artifact: Artifact, source: RunModel, *, about: str, licence: str, created: str
) -> tuple[str, tuple[str, ...], int]:
    """Fill the draft; digest, files and total size."""
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_directory
    from strata_git.load import dump_yaml
    from strata_git.repo.files import copy_file, write_file

    copy_file(source.file, draft / source.name)
    for name, file in source.companions.items():
        copy_file(file, draft / name)
    write_file(draft / METRICS, metrics_text(source))
    write_file(draft / CARD, card_text(artifact, source, about=about, licence=licence))
    payload = {path: sha256 for path, sha256, _ in sha256_directory(draft)}
    if payload[source.name] != source.sha256:
        raise StrataError(f"{source.place} changed while it was copied.")
    record = {
        "kind": "model",
        "name": artifact.name,
        "version": artifact.version,
        "created": created,
        "description": about,
        "licence": licence,
        **source.facts(),
        "content_hash": checksums.content_hash(payload, kind="model"),
    }
    data = dump_yaml(record)
    require_contract(data)
    write_file(draft / METADATA, data)
    hashed = sha256_directory(draft)
    listed = checksums.render({path: sha256 for path, sha256, _ in hashed})
    write_file(draft / CHECKSUMS, listed)
    return checksums.digest(listed), tuple(path for path, _, _ in hashed), sum(size for _, _, size in hashed)


def require_contract(data: bytes) -> None:
    """StrataError where metadata.yaml, just written, would break its contract."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.model import ModelMetadata
    from strata_git.load import load_yaml

    try:
        parse(ModelMetadata, load_yaml(data))
    except ContractError as error:
        raise StrataError(f"The model's metadata would break its contract: {error}.") from None


def next_version(repo: Repository, root: Path, name: str) -> int:
    """One more than every version that is or ever was: a removed version's name is never used again (TFC-0001)."""
    from strata_git.repo.history import first_appearances

    directory = f"models/{name}"
    head = repo.head()
    committed = _versions(first_appearances(repo, [head], [directory])) if head else set()
    waiting = sorted(set(_present(root / directory)) - committed)
    if waiting:
        other = Artifact("model", name, f"v{waiting[0]}")
        raise StrataError(
            f"{other.reference} is not committed yet: one version of one model a commit.",
            hint=f"{commit_command([other.path], f'Add {other.reference}')}\nor remove it: rm -r {other.path}",
        )
    return 1 + max(committed, default=0)


def _versions(paths: Mapping[str, Any]) -> set[int]:
    parts = (path.split("/") for path in paths)
    return {int(part[2][1:]) for part in parts if len(part) > 3 and VERSION.fullmatch(part[2])}


def _present(directory: Path) -> list[int]:
    if not directory.is_dir():
        return []
    return [int(name[1:]) for name in os.listdir(directory) if VERSION.fullmatch(name)]
