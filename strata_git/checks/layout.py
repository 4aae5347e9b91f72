"""Names and places: what may lie where, and be called what (TFC-0001 sections 2 and 3)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from unicodedata import is_normalized, normalize

from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import KINDS, NAME, RUN_ID, VERSION
from strata_git.contracts.tree import SUBMODULE, SYMLINK

PATH_LIMIT = 240
"""Bytes of a path from the repository root that every system can check out into a folder of usual depth."""
NAME_LIMIT = 255
KEEP = ".gitkeep"
"""The one file that may lie directly in an artifact root, so that Git keeps the empty directory."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNPORTABLE = re.compile(r'[<>:"|?*\\]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(?:\..*)?", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@ -]*")
_PLAIN_PATH = re.compile(
    r"(?:(?:^|/)(?!con|prn|aux|nul|com|lpt)[a-z0-9_](?:[a-z0-9_.+=@ -]*[a-z0-9_+=@-])?)+", re.IGNORECASE | re.ASCII
)
"""A path in which no part needs a second look; nearly all are such."""


def judge_names(exhibit: Exhibit) -> Iterator[Finding]:
    """Judge the name and type of every file of an artifact."""
    for name, entry in exhibit.entries.items():
        yield from _judge_type(entry.path, entry.mode)
        yield from _judge_length(entry.path)
        for part in () if _PLAIN_PATH.fullmatch(name) else name.split("/"):
            yield from _judge_part(part, entry.path)
    yield from _judge_twins(exhibit)


def judge_path(path: str) -> Iterator[Finding]:
    """Judge the name of one file, wherever it lies, as if it were an artifact's."""
    yield from _judge_length(path)
    for part in path.split("/"):
        yield from _judge_part(part, path)


def _judge_type(path: str, mode: str) -> Iterator[Finding]:
    if mode == SYMLINK:
        yield found("STR-L008", path, "is a symbolic link")
    elif mode == SUBMODULE:
        yield found("STR-L009", path, "is a submodule")


def _judge_length(path: str) -> Iterator[Finding]:
    size = len(os.fsencode(path)) if not path.isascii() else len(path)
    if size > PATH_LIMIT:
        yield found("STR-L007", path, f"the path is {size} bytes long, more than {PATH_LIMIT}")
        longest = max(len(os.fsencode(part)) for part in path.split("/"))
        if longest > NAME_LIMIT:
            message = f"a name is {longest} bytes long, more than {NAME_LIMIT}: most systems cannot hold it"
            yield found("STR-L007", path, message, severity="error")


def _judge_part(part: str, path: str) -> Iterator[Finding]:
    if _SURROGATE.search(part):
        yield found("STR-L002", path, "the name is not UTF-8")
        return
    if _CONTROL.search(part):
        yield found("STR-L001", path, "the name has a control or direction-changing character")
    if part == "-":
        yield found("STR-L003", path, "is named '-', which tools take for their standard input")
    if part.casefold().startswith(".git"):
        yield found("STR-L018", path, f"'{part}' would be Git's own")
    if part.endswith((".", " ")):
        yield found("STR-L006", path, f"'{part}' ends with a dot or a space, which some systems drop")
    if not _PLAIN.fullmatch(part) or part[:3].casefold() in ("con", "prn", "aux", "nul", "com", "lpt"):
        yield from _judge_portability(part, path)


def _judge_portability(part: str, path: str) -> Iterator[Finding]:
    if _DEVICE.fullmatch(part):
        yield found("STR-L005", path, f"'{part}' is a device on some systems")
    elif _UNPORTABLE.search(part):
        yield found("STR-L005", path, f"'{part}' has a character that some systems forbid (<>:\"|?*\\)")
    if not is_normalized("NFC", part):
        yield found("STR-L017", path, f"'{part}' is not in composed form (NFC)")


def _judge_twins(exhibit: Exhibit) -> Iterator[Finding]:
    """Names that some file systems take for one: equal after folding case and composing characters."""
    seen: dict[str, str] = {}
    for name in exhibit.entries:
        parts = name.split("/")
        for depth in range(len(parts), 0, -1):
            whole = "/".join(parts[:depth])
            first = seen.setdefault(normalize("NFC", whole.casefold()), whole)
            if first == whole and depth < len(parts):
                break
            if first != whole:
                message = f"'{whole}' and '{first}' are one name on some systems"
                yield found("STR-L004", exhibit.path(name), message)


def judge_places(paths: Iterable[str]) -> Iterator[Finding]:
    """Judge where the files `paths` lie: in an artifact's directory, or where none should be. Each place once."""
    seen: set[str] = set()
    told: set[str] = set()
    for path in paths:
        parts = path.split("/", 3)
        if parts[0] not in KINDS or len(parts) == 1:
            continue
        place = "/".join(parts[:3]) + "/" * (len(parts) > 3)
        if place in seen:
            continue
        seen.add(place)
        for finding in _judge_place(path, parts):
            if finding.path not in told:
                told.add(finding.path)
                yield finding


def _judge_place(path: str, parts: list[str]) -> Iterator[Finding]:
    root, name = parts[:2]
    kind = KINDS[root]
    here = f"{root}/{name}"
    if len(parts) == 2:
        if name != KEEP:
            yield found("STR-L010", path, f"a file directly in {root}/")
    elif kind == "run":
        if not RUN_ID.fullmatch(name):
            yield found("STR-L013", here, f"'{name}' is not a run's id (run-YYYY-MM-DD-NNN)")
    elif not NAME.fullmatch(name):
        yield found("STR-L011", here, f"'{name}' is not a name")
    elif kind == "service":
        return
    elif len(parts) == 3:
        yield found("STR-L010", path, f"a file beside the versions of {name}")
    elif not VERSION.fullmatch(parts[2]):
        yield found("STR-L012", f"{here}/{parts[2]}", f"'{parts[2]}' is not a version (v1, v2, ...)")
