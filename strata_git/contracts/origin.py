"""Where the value of a setting comes from, said so that a person finds the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strata_git.contracts.layout import SETTINGS
from strata_git.errors import printable

Kind = Literal["default", "file", "profile", "environment", "option"]


@dataclass(frozen=True, slots=True)
class Origin:
    """`name` is the profile, the environment variable or the option; `line` that of `file` (0: not written there)."""

    kind: Kind = "default"
    name: str = ""
    line: int = 0
    file: str = SETTINGS

    def __str__(self) -> str:
        if self.kind == "environment":
            return f"environment {printable(self.name)}"
        if self.kind == "option":
            return printable(self.name)
        if self.kind == "default":
            return "default"
        place = f"{printable(self.file)}:{self.line}" if self.line else printable(self.file)
        if self.kind == "file":
            return place
        return f"{place} (profile {self.name})" if self.line else f"profile {self.name}"

    def plain(self) -> dict[str, object]:
        """As JSON-able data."""
        made: dict[str, object] = {"from": self.kind}
        made |= {"name": self.name} if self.name else {}
        return made | ({"file": self.file, "line": self.line} if self.line else {})


DEFAULT = Origin()
