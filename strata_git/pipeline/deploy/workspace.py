"""A work tree to work in, where the repository itself may only be read.

Objects are not copied: they are found by way of the alternates (gitrepository-layout(5)). What is copied belongs to
whoever runs, so that git has no doubt about its owner.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from strata_git.errors import StrataError, printable

_LEFT_OUT = {Path(".git/objects"), Path(".git/hooks"), Path(".git/lfs"), Path(".git/strata"), Path(".strata/local")}


def copied(source: Path, target: Path) -> Path:
    """A copy of the repository at `source` in the new directory `target`, equal but for what is only of one machine.

    Raises StrataError where `source` is no repository of its own, or the disk refuses.
    """
    if not (source / ".git").is_dir():
        raise StrataError(
            f"{printable(str(source))} is no repository.",
            hint="Put the clone with its .git into the image, and name it in STRATA_WORKSPACE: docs/deployment.md",
        )
    try:
        target.mkdir(parents=True)
        _copy(source, target, Path())
        objects = target / ".git/objects/info"
        objects.mkdir(parents=True)
        lines = [os.fsencode((source / ".git/objects").resolve()), *_alternates(source / ".git/objects")]
        (objects / "alternates").write_bytes(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise StrataError(
            f"{printable(str(target))} cannot be written: {error.strerror}.",
            hint="Is there space? A function's ephemeral storage is a setting of it.",
        ) from None
    return target


def _copy(source: Path, target: Path, below: Path) -> None:
    with os.scandir(source / below) as found:
        entries = list(found)
    for entry in entries:
        path = below / entry.name
        if path in _LEFT_OUT:
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), target / path)
        elif entry.is_dir(follow_symlinks=False):
            (target / path).mkdir()
            _copy(source, target, path)
        elif entry.is_file(follow_symlinks=False):
            shutil.copyfile(entry.path, target / path)
            known = entry.stat(follow_symlinks=False)
            (target / path).chmod(0o755 if known.st_mode & stat.S_IXUSR else 0o644)
            os.utime(target / path, ns=(known.st_atime_ns, known.st_mtime_ns))


def _alternates(objects: Path) -> list[bytes]:
    """Those that the source itself has, absolute."""
    try:
        said = (objects / "info/alternates").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [os.fsencode((objects / os.fsdecode(line)).resolve()) for line in said if line and line[:1] != b"#"]
