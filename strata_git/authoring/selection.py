"""Which files of a source go into which split, and whether a dataset can hold them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.contracts.layout import NAME
from strata_git.errors import StrataError, UsageError, printable
from strata_git.integrity import checksums
from strata_git.integrity.digest import list_files

DEFAULT_SPLIT = "data"


@dataclass(slots=True)
class Selection:
    """Source paths (relative to `base`) by split."""

    base: Path
    splits: dict[str, list[str]] = field(default_factory=dict)


def select_files(source: Path, splits: Sequence[tuple[str, str]]) -> Selection:
    """The files of `source` (a file or directory) by split; without `splits` (name, glob) all are in one.

    Raises StrataError for a source that holds nothing, a split that matches nothing, a file that no artifact can hold;
    UsageError for a name or pattern that cannot be meant.
    """
    base, available = _available(source)
    if not available:
        raise StrataError(f"{printable(str(source))} holds no files.")
    if not splits:
        return _checked(Selection(base, {DEFAULT_SPLIT: available}))
    selection = Selection(base)
    for split, glob in splits:
        if not NAME.fullmatch(split):
            raise UsageError(
                f"'{printable(split)}' cannot name a split.",
                hint="Use lower-case letters and digits, joined by single - or _.",
            )
        matching = glob_expression(glob)
        taken = [name for name in available if matching.fullmatch(name)]
        if not taken:
            raise StrataError(
                f"Split '{split}': nothing in {printable(str(source))} matches '{printable(glob)}'.",
                hint="Patterns are relative to the source; * stays in a directory, ** crosses them, DIR/ takes all.",
            )
        selection.splits[split] = sorted({*selection.splits.get(split, []), *taken}, key=os.fsencode)
    return _checked(selection)


def _available(source: Path) -> tuple[Path, list[str]]:
    try:
        status = os.stat(source)
    except OSError as error:
        raise StrataError(f"{printable(str(source))} cannot be read: {error.strerror}.") from None
    if stat.S_ISDIR(status.st_mode):
        return source, list_files(source)
    if not stat.S_ISREG(status.st_mode):
        raise StrataError(f"{printable(str(source))} is neither a file nor a directory.")
    return source.parent, [source.name]


def _checked(selection: Selection) -> Selection:
    """The selection, when every file taken can lie in an artifact."""
    for name in sorted({name for names in selection.splits.values() for name in names}, key=os.fsencode):
        shown = printable(str(selection.base / name))
        problem = checksums.name_problem(name)
        if problem is None and any(part.casefold().startswith(".git") for part in name.split("/")):
            problem = "has a part that begins with '.git', which is Git's own"
        if problem:
            raise StrataError(f"{shown} {problem}.", hint="Rename it, or leave it out with --split NAME=GLOB.")
        if not stat.S_ISREG((selection.base / name).lstat().st_mode):
            raise StrataError(
                f"{shown} is a link or special file; a dataset holds plain files only.",
                hint="Put the file itself in its place, or leave it out with --split NAME=GLOB.",
            )
    for split, names in selection.splits.items():
        if clashes := checksums.collisions(names):
            first, second = clashes[0]
            raise StrataError(
                f"Split '{split}': '{printable(second)}' and '{printable(first)}' are one name on some systems.",
                hint="Rename one of the two.",
            )
    return selection


def overlaps(selection: Selection) -> list[str]:
    """A sentence for each pair of splits that share files."""
    seen: dict[str, str] = {}
    told: dict[tuple[str, str], tuple[str, int]] = {}
    for split, names in selection.splits.items():
        for name in names:
            first = seen.setdefault(name, split)
            if first != split:
                example, count = told.get((first, split), (name, 0))
                told[first, split] = (example, count + 1)
    return [
        f"Splits '{one}' and '{other}' share {count} files, such as {example}: an evaluation would measure memory."
        for (one, other), (example, count) in told.items()
    ]


def glob_expression(pattern: str) -> re.Pattern[str]:
    """An expression over relative paths: `*`, `?`, `[..]` within a directory, `**` across them, `DIR/` all in it."""
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts or not pattern:
        raise UsageError(f"The pattern '{printable(pattern)}' leads out of the source.", hint="Give it relative to it.")
    text = "/".join(part for part in parts if part != ".")
    if text.endswith("/") or text == "":
        text += "**"
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", text, re.DOTALL)
    try:
        return re.compile("".join(_expressed(token) for token in tokens), re.DOTALL)
    except re.error as error:
        raise UsageError(f"The pattern '{printable(pattern)}' cannot be read: {error.msg}.") from None


def _expressed(token: str) -> str:
    fixed = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in fixed:
        return fixed[token]
    if len(token) > 2:
        negated = token[1] in "!^" and len(token) > 3
        inner = re.sub(r"([^\w-])", r"\\\1", token[2 if negated else 1 : -1])
        inner = re.sub(r"(?<![A-Za-z0-9])-|-(?![A-Za-z0-9])", r"\\-", inner)  # a range has two ends
        return f"[^/{inner}]" if negated else f"[{inner}]"
    return re.escape(token)
