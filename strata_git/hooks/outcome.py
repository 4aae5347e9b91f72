"""What installing did to one hook, as data."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from strata_git.errors import printable


@dataclass(frozen=True, slots=True)
class Outcome:
    """One sentence about the hook `name`. `left`: somebody has to do something; `advice` are lines that say what."""

    name: str
    text: str
    left: bool = False
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.name}: {self.text}", *(f"    {line}" for line in self.advice)])


def difference(before: bytes, now: bytes, *, limit: int = 40) -> tuple[str, ...]:
    """How a hook differs from what we installed, as lines of a unified diff that can be shown."""
    old, new = (data.decode(errors="backslashreplace").splitlines() for data in (before, now))
    lines = list(difflib.unified_diff(old, new, "as installed", "as it is", lineterm="", n=1))
    shown = [printable(line) for line in lines[:limit]]
    return (*shown, f"... and {len(lines) - limit} lines more") if len(lines) > limit else tuple(shown)
