"""A page as text for a terminal; whoever prints it escapes what a terminal would obey. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.errors import printable
from strata_git.report.sections import Page, Section

_WIDEST = 60


def to_text(page: Page) -> str:
    """The headline, the lines below it, and each section as a table."""
    lines = [page.headline, *(" ".join(cell.text for cell in line) for line in page.lines)]
    for section in page.sections:
        lines += ["", section.title, *_table(section)]
    return "\n".join(lines)


def _table(section: Section) -> list[str]:
    rows = [[_short(cell.text) for cell in row] for row in section.rows]
    right = [cell.style == "number" for cell in section.rows[0]]
    listed: Sequence[Sequence[str]] = [[head.upper() for head in section.heads], *rows]
    widths = [max(len(row[at]) for row in listed) for at in range(len(section.heads))]
    return [
        "  " + "  ".join(cell.rjust(width) if flush else cell.ljust(width)
                         for cell, width, flush in zip(row, widths, right, strict=True)).rstrip()
        for row in listed
    ]  # fmt: skip


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 3]}..."
