"""Patterns of names: `*`, `?` and `[..]` within a directory, `**` across them, `DIR/` for all that is in it.

A name that begins with a dot is matched like any other. Patterns and names are compared in Unicode's composed form
(NFC): what a file system spells decomposed is found by what a person types.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import is_normalized, normalize

from strata_git.authoring.selection import glob_expression

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Patterns:
    """A choice of names: those that fit one of every group of `wanted`, and nothing in `unwanted`."""

    wanted: tuple[tuple[re.Pattern[str], ...], ...]
    unwanted: tuple[re.Pattern[str], ...]
    prefixes: tuple[str, ...]
    """Every name taken begins with one of these; `("",)` when nothing is known. None begins with another."""

    def take(self, name: str) -> bool:
        """Whether the choice falls on that name."""
        name = composed(name)
        return all(any(one.fullmatch(name) for one in group) for group in self.wanted) and not any(
            one.fullmatch(name) for one in self.unwanted
        )

    def may_hold(self, directory: str) -> bool:
        """Whether a name below `directory` (with its final `/`; empty: the root) could be taken."""
        directory = composed(directory)
        return any(directory.startswith(prefix) or prefix.startswith(directory) for prefix in self.prefixes)


def patterns(
    select: Sequence[str], exclude: Sequence[str], include: Sequence[str] = (), without: Sequence[str] = ()
) -> Patterns:
    """What a caller selects and excludes, within what a connector's settings include and leave out (`without`).

    Raises UsageError for a pattern that leads out of the source or cannot be read.
    """
    groups = [group for group in (include, select) if group]
    wanted = tuple(tuple(glob_expression(composed(one)) for one in group) for group in groups)
    unwanted = tuple(glob_expression(composed(one)) for one in (*without, *exclude))
    return Patterns(wanted, unwanted, _prefixes(groups))


def composed(text: str) -> str:
    """`text` in NFC."""
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def _prefixes(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The beginnings of the group that says most."""
    best: tuple[str, ...] = ("",)
    for group in groups:
        found = sorted({_fixed(composed(one)) for one in group})
        short = [one for one in found if not any(one != other and one.startswith(other) for other in found)]
        if min(map(len, short)) > min(map(len, best)):
            best = tuple(short)
    return best


def _fixed(pattern: str) -> str:
    """What every name that fits begins with."""
    pattern = "/".join(part for part in pattern.split("/") if part != ".")
    wild = _WILD.search(pattern)
    return pattern[: wild.start()] if wild else pattern
