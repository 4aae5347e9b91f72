"""Whether files of this repository can be locked, so that post-commit must call git-lfs.

git-lfs's own post-commit does nothing else, and asking it costs more than a small commit. The gate looks for a marker
instead; it is set here when hooks are installed and whenever attributes are committed.
"""

from __future__ import annotations

import os

from strata_git.repo.command import Repository

MARKER = "strata/lfs-locks"
ATTRIBUTES = ".gitattributes"


def note_locks(repo: Repository) -> None:
    """Set or clear the marker by what the tracked attributes files, the working copy's and info/attributes say."""
    if repo.worktree is None:
        return
    names = [name for name in _tracked(repo) if name == ATTRIBUTES or name.endswith(f"/{ATTRIBUTES}")]
    places = [repo.worktree / name for name in [ATTRIBUTES, *names]] + [repo.common_dir / "info" / "attributes"]
    marker = repo.common_dir / MARKER
    if any(b"lockable" in _bytes(str(place)) for place in places):
        marker.parent.mkdir(exist_ok=True)
        marker.touch()
    else:
        marker.unlink(missing_ok=True)


def _tracked(repo: Repository) -> list[str]:
    return os.fsdecode(repo.git("ls-files", "-z")).split("\0")


def _bytes(path: str) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(1 << 20)
    except OSError:
        return b""
