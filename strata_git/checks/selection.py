"""Which rules are told: `--select` and `--ignore`, and the same words in strata.yaml (TFC-0006 section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from strata_git.checks.catalog import RULES
from strata_git.checks.finding import Finding

PROTECTED = ("STR-C", "STR-I", "STR-P", "STR-S", "STR-L016", "STR-L020", "STR-L021")
"""No strata.yaml silences errors of these: what was released, what was signed, and the settings themselves."""

_WORD = re.compile(r"STR-[A-Z][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Rule ids or beginnings of such (`STR-D`). `select` empty: all; where both name a rule, it is ignored."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def takes(self, rule: str) -> bool:
        """Whether findings of `rule` are told."""
        return (not self.select or rule.startswith(self.select)) and not rule.startswith(self.ignore)

    def divide(self, findings: Iterable[Finding], *, guarded: bool) -> tuple[list[Finding], list[Finding]]:
        """What is told, and what is left out; `guarded` keeps the errors that settings may not silence."""
        told: list[Finding] = []
        left: list[Finding] = []
        for finding in findings:
            kept = self.takes(finding.rule) or (guarded and is_protected(finding))
            (told if kept else left).append(finding)
        return told, left


def is_protected(finding: Finding) -> bool:
    """Whether a finding is an error that no strata.yaml may silence."""
    return finding.severity == "error" and finding.rule.startswith(PROTECTED)


def rule_words(words: Iterable[str]) -> tuple[str, ...]:
    """What people write (`d003`, `STR-D`, `STR-D,STR-X004`) as ids and beginnings of ids.

    Raises ValueError with the word that fits no rule.
    """
    parts = [part.strip() for word in words for part in word.split(",")]
    found = []
    for part in filter(None, parts):
        told = part.upper()
        rule = told if told.startswith("STR-") else f"STR-{told}"
        if not is_known(rule):
            raise ValueError(part)
        found.append(rule)
    return tuple(dict.fromkeys(found))


def is_known(word: str) -> bool:
    """Whether some rule's id is `word` or begins with it."""
    return _WORD.fullmatch(word) is not None and any(rule.startswith(word) for rule in RULES)
