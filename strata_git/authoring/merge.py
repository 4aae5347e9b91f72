"""Merging documents by key instead of by line (TFC-0001 section 8): what git's merge driver `strata` does.

Two branches that set different keys of one YAML or JSON file agree, however close the lines are. What both changed
differently, what cannot be read, and what lies in a released version is an ordinary conflict, for a person to settle.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.contracts.layout import artifact_of
from strata_git.errors import printable
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.staged import commit_parents

ABSENT = object()
"""The value of a key that is not there."""
DRIVER = "merge.strata.driver"
_TITLE = ("merge.strata.name", "git-strata: YAML and JSON by key")
_CALL = "merge-driver %O %A %B %P"
_COMMENT = re.compile(rb"(?:^|[ ])#", re.MULTILINE)
_HEAD = re.compile(rb"(?:[ ]*(?:#[^\n]*)?\n)*")


class Conflict(Exception):
    """Both sides changed the value at `path`, differently."""

    def __init__(self, path: tuple[str, ...]) -> None:
        place = f"'{printable('.'.join(path))}'" if path else "all of it"
        super().__init__(f"both sides changed {place}")
        self.path = path


class Unmergeable(Exception):
    """A version of the file is no document that could be merged by key; the text says why."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How a file was merged: cleanly, or not, and why (part of a sentence)."""

    clean: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Lines:
    """What git makes of three versions by line; `clean`: without conflict markers."""

    data: bytes
    clean: bool


def merge_values(base: object, ours: object, theirs: object, path: tuple[str, ...] = ()) -> object:
    """The value with the changes of both sides. Raises Conflict where they exclude each other.

    Mappings are merged by key, in the order of ours, new keys of theirs at the end. Lists and all else are one value.
    `ABSENT` stands for what a side does not have.
    """
    if same(ours, theirs) or same(base, theirs):
        return ours
    if same(base, ours):
        return theirs
    before = {} if base is ABSENT else base
    if not (isinstance(before, Mapping) and isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        raise Conflict(path)
    merged = {}
    for key in (*ours, *(key for key in theirs if key not in ours)):
        one, two, three = (side.get(key, ABSENT) for side in (before, ours, theirs))
        value = merge_values(one, two, three, (*path, str(key)))
        if value is not ABSENT:
            merged[key] = value
    return merged


def same(one: object, other: object) -> bool:
    """Whether two values are equal in type too: to Python, 1 and true are one."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


def merge_texts(base: bytes, ours: bytes, theirs: bytes, path: str, lines: bytes | None = None) -> bytes:
    """The text that holds the changes of both sides. Raises Conflict, or Unmergeable.

    `lines` is a clean merge by line, taken where it says the same: it keeps every comment. Otherwise the document is
    written anew, below the comments at its top; where others would be lost, it is not merged.
    """
    mine, other = _load(ours, path), _load(theirs, path)
    merged = merge_values(_load(base, path) if base else ABSENT, mine, other)
    if lines is not None and _says(lines, merged, path):
        return lines
    for text, value in ((ours, mine), (theirs, other)):
        if same(value, merged):
            return text
    data = _dumped(merged, path)
    if not path.endswith(".json"):
        data = _head(base, ours, theirs) + data
    if not _says(data, merged, path):
        raise Unmergeable("the result could not be written so that it is read as what was meant")
    return data


def merge_file(repo: Repository, base: Path, ours: Path, theirs: Path, path: str) -> Merged:
    """Merge the versions of the file `path` that git has laid out, into `ours`, as gitattributes(5) asks of a driver.

    Where that fails, `ours` gets git's merge by line, markers and all. Of a released version no mixture is made: where
    lines would merge, `ours` stays as it is.
    """
    lines = _merge_lines(repo, base, ours, theirs)
    artifact = artifact_of(path)
    if artifact is not None and artifact.frozen and _is_released(repo, artifact.path):
        if lines is not None and not lines.clean:
            write_file(ours, lines.data)
        return Merged(False, f"{artifact.short} is released; keep one side whole, and give the other a new version")
    clean = lines.data if lines is not None and lines.clean else None
    try:
        data = merge_texts(base.read_bytes(), ours.read_bytes(), theirs.read_bytes(), path, clean)
    except (Conflict, Unmergeable) as error:
        if lines is not None:
            write_file(ours, lines.data)
        return Merged(False, str(error))
    write_file(ours, data)
    return Merged(True)


def configure_driver(repo: Repository) -> list[str]:
    """Tell git, in the local configuration, what `merge=strata` means; the settings made. A foreign driver stays."""
    wanted = _command()
    present = repo.try_git("config", "--local", "--get", DRIVER).out.decode("utf-8", "replace").rstrip("\n")
    if present == wanted or (present and _CALL not in present):
        return []
    for key, value in ((DRIVER, wanted), _TITLE):
        repo.git("config", "--local", key, value)
    return [f"git config {DRIVER} '... git-strata {_CALL} ...'"]


def forget_driver(repo: Repository) -> list[str]:
    """Take the driver out of the local configuration again; git then merges by line."""
    present = repo.try_git("config", "--local", "--get", DRIVER).out
    if _CALL.encode() not in present:
        return []
    repo.git("config", "--local", "--remove-section", "merge.strata")
    return ["merge driver: removed"]


def _command() -> str:
    """What git hands to the shell: this program where it is, else by its name, else git's own merge by line."""
    program = str(Path(sys.executable).with_name("git-strata"))
    if not Path(program).exists() or not re.fullmatch(r"[\w./+-]+", program):
        program = "git-strata"
    return (
        f"p={program}; command -v $p >/dev/null 2>&1 || p=git-strata; "
        f"command -v $p >/dev/null 2>&1 && exec $p {_CALL}; exec git merge-file -L ours -L base -L theirs %A %O %B"
    )


def _is_released(repo: Repository, directory: str) -> bool:
    """Whether a commit that is being merged holds the artifact."""
    places = (f"{oid}:{directory}" for oid in commit_parents(repo))
    return any(repo.try_git("rev-parse", "--verify", "--quiet", "--end-of-options", one).code == 0 for one in places)


def _merge_lines(repo: Repository, base: Path, ours: Path, theirs: Path) -> _Lines | None:
    """Git's merge by line, nothing written; None where git makes none (binary files)."""
    labels = ("-L", "ours", "-L", "base", "-L", "theirs")
    done = repo.try_user_git("merge-file", "-p", *labels, "--", str(ours), str(base), str(theirs))
    return _Lines(done.out, done.code == 0) if 0 <= done.code <= 127 else None


def _load(text: bytes, path: str) -> object:
    from strata_git.load import Unloadable, load_json, load_yaml

    if not path.endswith((".json", ".yaml", ".yml")):
        raise Unmergeable("it is neither YAML nor JSON")
    try:
        return (load_json if path.endswith(".json") else load_yaml)(text).value
    except Unloadable as error:
        raise Unmergeable(f"one side cannot be read: {error.message}") from None


def _dumped(value: object, path: str) -> bytes:
    from strata_git.load import dump_json, dump_yaml

    try:
        return dump_json(value) if path.endswith(".json") else dump_yaml(value)
    except (ValueError, TypeError) as error:
        raise Unmergeable(f"the result cannot be written: {error}") from None


def _says(text: bytes, value: object, path: str) -> bool:
    try:
        return same(_load(text, path), value)
    except Unmergeable:
        return False


def _head(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """The comments above a YAML document, merged as one value. Raises Unmergeable where there are others."""
    heads = []
    for text in (base, ours, theirs):
        match = _HEAD.match(text)
        end = match.end() if match else 0
        if _COMMENT.search(text, end):
            raise Unmergeable("merging it by key would lose comments")
        heads.append(text[:end])
    try:
        head = merge_values(heads[0], heads[1], heads[2])
    except Conflict:
        raise Unmergeable("both sides changed the comments at the top") from None
    return head if isinstance(head, bytes) else b""
