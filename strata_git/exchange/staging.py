"""Files of others on their way in: names are judged first, links never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.files import copy_file

_DEPTH = 64


def below(root: Path, name: str, said_by: str) -> Path:
    """The place of the relative path `name` below `root`; StrataError where it leads out of it, or over a link.

    `said_by` is who names it, for the sentence.
    """
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ".." in parts or printable(name) != name or len(parts) > _DEPTH:
        raise StrataError(f"{said_by} names the path '{printable(name[:200])}', which is no plain relative path.")
    path = root
    for part in parts:
        if part in ("", "."):
            continue
        path = path / part
        if path.is_symlink():
            raise StrataError(
                f"{said_by} names '{printable(name)}', and {printable(str(path))} is a link: it is not followed.",
                hint="Put the file itself in its place.",
            )
    return path


def copy_tree(source: Path, target: Path) -> list[str]:
    """Copy every file below `source`; their relative names, sorted. StrataError for links and special files."""
    names = sorted(_walked(source), key=os.fsencode)
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        copy_file(source / name, place)
    return names


def _walked(source: Path) -> Iterator[str]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(source / folder), key=lambda entry: entry.name)
        except OSError as error:
            raise StrataError(f"{printable(str(source / folder))} cannot be read: {error.strerror}.") from None
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                if entry.name != ".git":
                    waiting.append(name)
            elif stat.S_ISREG(mode):
                yield name
            else:
                kind = "a link: it is not followed" if stat.S_ISLNK(mode) else "neither a file nor a directory"
                raise StrataError(
                    f"{printable(str(source / name))} is {kind}.",
                    hint="Put the file itself in its place, or remove it.",
                )
