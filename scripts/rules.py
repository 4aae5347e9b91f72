"""Writes docs/rules.md, the table of all rules, from the catalog.

`python scripts/rules.py` writes the page, `python scripts/rules.py --check` only tells whether it is up to date.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from strata_git.checks.catalog import RULES
from strata_git.checks.rule import Rule
from strata_git.checks.selection import PROTECTED

PAGE = Path(__file__).parent.parent / "docs" / "rules.md"
FAMILIES = {
    "L": "Layout: names, places, settings",
    "Y": "Documents",
    "D": "Datasets",
    "R": "Runs",
    "M": "Models",
    "T": "Prompts",
    "N": "Chains and pipelines",
    "E": "Experiments",
    "U": "Plugins",
    "V": "Services",
    "C": "Checksums",
    "S": "Signatures",
    "G": "Secrets",
    "F": "Git LFS",
    "I": "Immutability",
    "X": "References between artifacts",
    "K": "Commit messages",
    "P": "Events and promotion",
}
HEAD = """# Rules

Every rule that `git strata doctor` and the hooks judge by, with the clause that it holds. This page is made by
`scripts/rules.py` from `strata_git/checks/catalog.py`; `git strata explain RULE` shows a rule with the clause's text.

An error ends in exit code 2, a warning in 1 (2 under `--strict`); information changes nothing. `--select` and
`--ignore` take ids or their beginnings (`STR-D`), and so does the section `doctor` of strata.yaml; errors of the rules
marked "kept" cannot be silenced there (TFC-0006 section 6).
"""
COLUMNS = "| rule | | what holds | what to do otherwise | clause |\n|---|---|---|---|---|\n"


def page() -> str:
    """The whole page in Markdown."""
    parts = [HEAD]
    for letter, rules in groupby(RULES.values(), key=lambda rule: rule.id[4]):
        rows = "".join(f"{row(rule)}\n" for rule in rules)
        title = FAMILIES.get(letter, f"STR-{letter}")
        parts.append(f"## {title}\n\n{COLUMNS}{rows}")
    return "\n".join(parts)


def row(rule: Rule) -> str:
    """One line of a table."""
    locked = " (kept)" if rule.severity == "error" and rule.id.startswith(PROTECTED) else ""
    fix = rule.fix.replace("{artifact}", "ARTIFACT").replace("{path}", "PATH")
    cells = (rule.id, rule.severity + locked, rule.summary, fix, f"[TFC-{rule.clause}](../{rule.anchor})")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        return int(not PAGE.is_file() or PAGE.read_text() != text)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
