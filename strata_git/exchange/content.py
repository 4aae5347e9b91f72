"""The bytes of an artifact's files at a revision: from the object store, from Git LFS, or from the work tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from strata_git.contracts.layout import Artifact
from strata_git.contracts.tree import REGULAR, relative
from strata_git.errors import StrataError, printable
from strata_git.integrity.digest import sha256_files
from strata_git.repo.command import Repository
from strata_git.repo.files import copy_file, write_file
from strata_git.repo.tree import Entry, ListedTree, commit_tree


def write_contents(repo: Repository, revision: str, artifact: Artifact, target: Path) -> None:
    """Write every file of the artifact, as it is at `revision`, below `target`; digests are checked.

    Raises StrataError where bytes are not here, naming the command that fetches them.
    """
    tree = commit_tree(repo, revision, [artifact.path])
    for entry in _regular(tree, artifact):
        place = target / relative(entry.path, artifact.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_content(repo, tree, entry, place)


def write_content(repo: Repository, tree: ListedTree, entry: Entry, place: Path) -> None:
    """Write one file to the new name `place`; StrataError where its bytes are not here."""
    content = tree.content(entry)
    if content.stored != "pointer":
        write_file(place, tree.read(entry, content.size), durable=False)
        return
    for source in _sources(repo, entry.path, content.sha256):
        if not source.is_file() or source.is_symlink():
            continue
        copy_file(source, place)
        ((_, found, _),) = sha256_files([place])
        if found == content.sha256:
            return
        os.unlink(place)
    folder = entry.path.rpartition("/")[0]
    raise StrataError(
        f"{printable(entry.path)} is here as a Git LFS pointer alone: its content was not fetched.",
        hint=f'git lfs pull --include "{printable(folder)}/**"',
    )


def _sources(repo: Repository, path: str, sha256: str) -> Iterator[Path]:
    yield repo.common_dir / "lfs" / "objects" / sha256[:2] / sha256[2:4] / sha256
    if repo.worktree is not None:
        yield repo.worktree / path


def _regular(tree: ListedTree, artifact: Artifact) -> list[Entry]:
    return [entry for entry in tree.under(artifact.path) if entry.mode in REGULAR]
