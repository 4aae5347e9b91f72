"""`doctor --fix`: make true again what unreleased artifacts say of their own content, and nothing else.

A list of checksums, a content hash and the counts of splits follow from the files; everything else that the rules tell
is somebody's decision. A version that any commit of this repository holds is never touched (TFC-0006 6.6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strata_git.authoring.checksum import Sealed, seal_directory
from strata_git.authoring.targets import work_artifacts
from strata_git.contracts.layout import Artifact
from strata_git.doctor.subject import commit_subject
from strata_git.errors import StrataError
from strata_git.repo.command import Repository


@dataclass(frozen=True, slots=True)
class Fixed:
    """`mended` lists what was rewritten (`changed` names the files); `left` says why an artifact was not."""

    mended: tuple[Sealed, ...]
    left: tuple[tuple[Artifact, str], ...]


def fix(repo: Repository, paths: Sequence[str] = (), *, progress: Callable[[int], None] | None = None) -> Fixed:
    """Seal every unreleased artifact on the disk that lies in, below or around `paths` (nothing: all).

    `progress` is told artifacts. What cannot be sealed (a signature stands over it, a name cannot be listed) is left
    as it is and told.
    """
    mended: list[Sealed] = []
    left: list[tuple[Artifact, str]] = []
    for artifact in _unreleased(repo, paths):
        try:
            sealed = seal_directory(repo, artifact)
        except StrataError as error:
            left.append((artifact, error.message))
        else:
            mended += [sealed] if sealed.changed else []
        if progress is not None:
            progress(1)
    return Fixed(tuple(mended), tuple(left))


def _unreleased(repo: Repository, paths: Sequence[str]) -> list[Artifact]:
    head = repo.head()
    released = commit_subject(repo, head).artifacts if head else {}
    here = [artifact for artifact in work_artifacts(repo) if artifact.frozen and artifact not in released]
    return [artifact for artifact in here if _asked(artifact.path, paths) and not _known_elsewhere(repo, artifact)]


def _known_elsewhere(repo: Repository, artifact: Artifact) -> bool:
    """Whether a commit of another branch, or an earlier one, holds the version: its content is settled there."""
    return bool(repo.git("rev-list", "--max-count=1", "--all", "--", artifact.path).strip())


def _asked(path: str, paths: Sequence[str]) -> bool:
    return not paths or any(path == one or path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in paths)
