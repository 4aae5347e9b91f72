"""Writing a site to a directory: only what differs, nothing outside of it, and never over somebody else's files."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from strata_git.dashboard.site import Site
from strata_git.errors import StrataError, printable
from strata_git.load import Unloadable, dump_json, load_json
from strata_git.repo.files import unwritable, write_file

MARK = ".strata-dashboard.json"
"""Lies in every directory that we wrote, and lists our files."""
SCHEMA = "strata/dashboard/v1"
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*)*")
_FIRST = "index.html"


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it: files of the site, those whose bytes differ from before, and those that are gone."""

    files: int
    changed: int
    removed: int


def write_site(site: Site, directory: Path, progress: Callable[[int], None] | None = None) -> Written:
    """Write `site` below `directory`; `progress` is told of each file.

    What is there already with the same bytes is not touched. Raises StrataError where the directory is not empty and
    not ours, where a link stands in the way, or where the disk refuses.
    """
    before = claim(directory)
    files = set(site.files)
    _mark(directory, before | files)
    changed = 0
    for address in [*sorted(files - {_FIRST}), _FIRST]:
        changed += _put(directory, address, site.files[address]())
        if progress:
            progress(1)
    for address in sorted(site.pictures):
        data = site.picture(address)
        if data is not None:
            changed += _put(directory, address, data)
            files.add(address)
    removed = sum(_remove(directory, address) for address in sorted(before - files))
    _mark(directory, files)
    return Written(len(files), changed, removed)


def claim(directory: Path) -> set[str]:
    """Make sure that `directory` is ours to write into; the addresses that we wrote there before."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        names = os.listdir(directory)
    except (FileExistsError, NotADirectoryError):
        raise StrataError(f"{printable(str(directory))} is not a directory.", hint="Name a new one.") from None
    except OSError as error:
        raise unwritable(directory, error) from None
    if not names:
        return set()
    listed = _listed(directory / MARK)
    if listed is None:
        raise StrataError(
            f"{printable(str(directory))} is not empty, and no dashboard was written there; nothing was done.",
            hint="Name a new directory, or empty this one.",
        )
    return listed


def _listed(mark: Path) -> set[str] | None:
    try:
        handle = os.open(mark, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        try:
            value = load_json(stream.read(64 << 20), limit=64 << 20).value
        except Unloadable:
            return None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or not isinstance(value.get("files"), list):
        return None
    return {name for name in value["files"] if isinstance(name, str) and _is_address(name)}


def _is_address(name: str) -> bool:
    return bool(_ADDRESS.fullmatch(name)) and len(name) < 1000


def _mark(directory: Path, files: Collection[str]) -> None:
    _replace(directory / MARK, dump_json({"schema": SCHEMA, "files": sorted(files)}))


def _put(directory: Path, address: str, data: bytes) -> bool:
    """Write one file where it differs; whether it did."""
    if not _is_address(address):  # addresses come from our own grammar: this is the last fence, not the first
        raise ValueError(f"no address: {address!r}")
    place = directory
    for step in address.split("/")[:-1]:
        place /= step
        _folder(place)
    return _replace(directory / address, data)


def _folder(place: Path) -> None:
    try:
        place.mkdir(exist_ok=True)
    except FileExistsError:
        pass  # told below
    except OSError as error:
        raise unwritable(place, error) from None
    if not stat.S_ISDIR(place.lstat().st_mode):
        raise StrataError(
            f"{printable(str(place))} is in the way: it is no directory.", hint="Remove it, or name another directory."
        )


def _replace(path: Path, data: bytes) -> bool:
    if _read(path) == data:
        return False
    write_file(path, data, durable=False)
    return True


def _read(path: Path) -> bytes | None:
    """The bytes of a regular file; None for anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(handle, "rb") as stream:
        return stream.read() if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else None


def _remove(directory: Path, address: str) -> bool:
    """Remove a file of ours that the site no longer has, and the folders that it leaves empty."""
    parents = list(_above(directory, address))
    if not all(stat.S_ISDIR(parent.lstat().st_mode) for parent in parents if os.path.lexists(parent)):
        return False
    try:
        os.unlink(directory / address)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        for parent in reversed(parents):
            parent.rmdir()
    return True


def _above(directory: Path, address: str) -> Iterator[Path]:
    place = directory
    for step in address.split("/")[:-1]:
        place /= step
        yield place
