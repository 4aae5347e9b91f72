"""From what a person types (a reference, a path) to the artifacts meant."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from strata_git.contracts.layout import ROOT_OF, ROOTS, Artifact, artifact_of, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository


def work_artifacts(repo: Repository) -> list[Artifact]:
    """Every artifact directory on the disk, tracked or not."""
    root = repo.require_worktree()
    found: list[Artifact] = []
    for top in ROOTS:
        deep = top not in ("runs", "services")
        for first in _folders(root / top):
            places = [first, *(f"{first}/{second}" for second in _folders(root / top / first))] if deep else [first]
            for place in places:
                artifact = artifact_of(f"{top}/{place}/x")
                if artifact is not None and artifact.path == f"{top}/{place}":
                    found.append(artifact)
    return sorted(found)


def named_artifacts(
    repo: Repository, words: Sequence[str], *, cwd: Path, known: Collection[Artifact]
) -> list[Artifact]:
    """The artifacts of `known` that `words` mean, each once, in the order named.

    A word is a path (an artifact, something in it, or a directory above some) or a reference; a bare name means the
    newest version. Raises StrataError for a word that means nothing here, or more than one thing.
    """
    meant: dict[Artifact, None] = {}
    for word in words:
        meant.update(dict.fromkeys(_by_path(repo, word, cwd, known) or [_by_reference(word, known)]))
    return list(meant)


def _by_path(repo: Repository, word: str, cwd: Path, known: Collection[Artifact]) -> list[Artifact]:
    if repo.worktree is None or not os.path.lexists(cwd / word):
        return []
    full = os.path.normpath(os.path.join(os.path.realpath(cwd), word))
    path = os.path.relpath(full, os.path.realpath(repo.worktree))
    if path.startswith(".."):
        raise StrataError(f"{printable(word)} lies outside the repository {printable(str(repo.worktree))}.")
    artifact = artifact_of(path)
    if artifact is None and (inside := artifact_of(f"{path}/x")) and inside.path == path:
        artifact = inside
    if artifact is not None:
        return [artifact] if artifact in known else []
    prefix = "" if path == "." else f"{path}/"
    return sorted(each for each in known if each.path.startswith(prefix))


def _by_reference(word: str, known: Collection[Artifact]) -> Artifact:
    try:
        reference = parse_reference(word)
    except ValueError as error:
        raise UsageError(
            f"'{printable(word)}' is neither a path nor a reference here: {printable(str(error))}.",
            hint="References look like datasets/iris@v1, iris@v1 or run-2026-11-21-001.",
        ) from None
    if reference.stage:
        raise StrataError(
            f"'{word}' names a stage, where a version is needed.",
            hint=f"git strata stages tells which: {reference.name}",
        )
    found = [
        each
        for each in known
        if each.name == reference.name
        and reference.kind in (None, each.kind)
        and reference.version in (None, each.version or None)
    ]
    kinds = sorted({ROOT_OF[each.kind] for each in found})
    if len(kinds) > 1:
        told = " or ".join(f"{root}/{word}" for root in kinds)
        raise StrataError(f"'{word}' is more than one thing.", hint=f"Say which: {told}")
    if not found:
        raise StrataError(f"There is no '{word}' here.", hint="git strata list shows what there is.")
    return max(found, key=lambda each: each.number)


def _folders(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
