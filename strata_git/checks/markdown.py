"""Findings as Markdown, for a comment on a change or the summary of a CI run. Nothing is judged here.

What came from the repository is shown as text whatever it looks like: no markup, no link, nobody is called by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from strata_git.checks.finding import Finding
from strata_git.checks.formats import count, in_reading_order
from strata_git.errors import printable

ROWS, ROOM = 100, 55_000
"""Findings, and characters, in the table before the rest is only counted: forges take comments of some 65,000."""
CELL = 300
MARK = "<!-- git-strata -->"
"""The first line, by which an earlier comment is found again."""

_SPECIAL = re.compile(r"[&<>@|`*_~#\[\]\\!$]|:(?=//)|(?<=www)\.")
_CALLING = re.compile(r"&#(?:33|35|36|64|126);")
"""What forges look for once entities are decoded (`@team`, `#7`): a zero-width space behind it keeps them from it."""
_SIGNS = {"error": "❌", "warning": "⚠️", "info": "ℹ️"}  # noqa: RUF001 - the sign itself


def to_markdown(
    findings: Iterable[Finding], *, subject: str, artifacts: int, exit_code: int, unjudged: Sequence[str] = ()
) -> str:
    """A heading with the verdict, what was not judged, and a table with the worst first.

    `artifacts` counts what was judged.
    """
    ordered = in_reading_order(findings)
    worst = sorted(ordered, key=lambda finding: list(_SIGNS).index(finding.severity))
    sign = {0: "✅", 1: "⚠️"}.get(exit_code, "❌")
    told = count(ordered) if ordered else "nothing is wrong"
    lines = [MARK, f"### {sign} git-strata: {told}", "", f"{_text(subject)}: {artifacts} artifacts judged.", ""]
    lines += [f"- not judged: {_text(gap)}" for gap in unjudged] + [""] * bool(unjudged)
    rows = _fitting([_row(finding) for finding in worst[:ROWS]])
    if rows:
        lines += ["| | rule | where | what is the case | what to do |", "|---|---|---|---|---|", *rows]
    if len(worst) > len(rows):
        lines += ["", f"... and {len(worst) - len(rows)} more: `git strata doctor` tells all."]
    return "\n".join(lines).rstrip("\n") + "\n"


def _fitting(rows: Sequence[str]) -> list[str]:
    ends = accumulate(len(row.encode()) + 1 for row in rows)
    return [row for row, end in zip(rows, ends, strict=True) if end <= ROOM]


def _row(finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    where = f"{place} (commit {finding.commit[:12]})" if finding.commit else place
    cells = (_SIGNS[finding.severity], finding.rule, _text(where), _text(finding.message), _text(finding.fix))
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    shown = printable(text)
    shown = shown if len(shown) <= CELL else f"{shown[:CELL]}..."
    return _CALLING.sub(r"\g<0>&#8203;", _SPECIAL.sub(lambda match: f"&#{ord(match.group())};", shown))
