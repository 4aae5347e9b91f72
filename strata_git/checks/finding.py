"""A fact about somebody's repository, as data; never how it is shown."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from strata_git.checks import rule as levels
from strata_git.checks.catalog import RULES
from strata_git.contracts.layout import artifact_of


class Severity(StrEnum):
    """How bad: errors end in exit code 2, warnings in 1; information never changes the verdict."""

    ERROR = levels.ERROR
    WARNING = levels.WARNING
    INFO = levels.INFO


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What `rule` found at `path` (`line` is 1-based, 0 for the whole file), and how to put it right.

    `commit` is the object id of the commit in which it stands, `""` when that is what is being judged.
    """

    rule: str
    severity: str
    path: str
    line: int
    message: str
    fix: str
    commit: str = ""

    @property
    def anchor(self) -> str:
        """Where the clause behind the rule is written: `tfc/0004-datasets.md#3.2`."""
        return RULES[self.rule].anchor


def found(
    rule: str, path: str, message: str, *, line: int = 0, commit: str = "", severity: str = "", fix: str = ""
) -> Finding:
    """A finding of `rule`, with severity and fix from the catalog unless given."""
    entry = RULES[rule]
    text = fix or entry.fix
    if "{" in text and not fix:
        artifact = artifact_of(path)
        text = text.replace("{artifact}", artifact.path if artifact else shlex.quote(path))
        text = text.replace("{path}", shlex.quote(path))
    return Finding(rule, severity or entry.severity, path, line, message, text, commit)
