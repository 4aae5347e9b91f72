"""Whether what is remembered was remembered here: a git directory unpacked from an archive brings none of it along.

A file that nobody touches again keeps its inode number and the time of its last change (`st_ctime_ns`, which no program
can set); both are noted beside it. Where a directory was copied or unpacked they differ, and everything is forgotten.
"""

from __future__ import annotations

import os
from pathlib import Path

MARK = "cache.here"
"""Directory beside the cache: a file that is never touched, and the note of what it is."""
_BORN, _NOTED = "born", "noted"
NOWHERE = Path(os.devnull, "cache")
"""A place in which nothing can be kept."""


def own_cache(place: Path) -> Path:
    """`place`, emptied of what was not remembered in it; `NOWHERE` when that cannot be made sure of."""
    mark = place.with_name(MARK)
    if not _is_true(mark):
        try:
            _remove(place)
            _set(mark)
        except OSError:  # another process was quicker, or nothing can be written
            return place if _is_true(mark) else NOWHERE
    return place


def _is_true(mark: Path) -> bool:
    try:
        return (mark / _NOTED).read_text("ascii") == _note(mark / _BORN)
    except (OSError, ValueError):
        return False


def _note(born: Path) -> str:
    status = os.lstat(born)
    return f"{status.st_ino} {status.st_ctime_ns}"


def _set(mark: Path) -> None:
    """Written aside and moved as a directory, which leaves the files in it as they are."""
    aside = mark.with_name(f".{mark.name}.{os.getpid()}")
    _remove(aside)
    aside.mkdir(parents=True)
    (aside / _BORN).touch()
    (aside / _NOTED).write_text(_note(aside / _BORN), "ascii")
    try:
        if not _is_true(mark):
            _remove(mark)
        aside.rename(mark)
    except OSError:
        _remove(aside)
        raise


def _remove(path: Path) -> None:
    """What stands there, if anything; a link is taken away, what it names stays."""
    if path.is_dir() and not path.is_symlink():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
