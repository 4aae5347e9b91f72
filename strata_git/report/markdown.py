"""A page as Markdown for a comment on a forge: never longer than one takes, and told where something was left out.

Pure. What came from the repository is shown as text (`report.escape`).
"""

from __future__ import annotations

from strata_git.checks.markdown import MARK
from strata_git.report.escape import code, prose
from strata_git.report.sections import Cell, Page, Section

LIMIT = 65_536
"""Characters that a comment may have on the forges; bytes are counted here, so both are kept."""
ROWS = 200
_RESERVE = 300


def to_markdown(page: Page, limit: int = LIMIT) -> str:
    """The page with as many rows of each section as there is room for; what is left out is counted."""
    verdict = {None: "", 0: "✅ ", 1: "⚠️ "}.get(page.code, "❌ ")
    text = f"{MARK}\n### {verdict}git-strata: {page.headline}\n\n"
    text += "".join(f"- {' '.join(_cell(cell) for cell in line)}\n" for line in page.lines[:ROWS])
    for at, section in enumerate(page.sections):
        share = (limit - len(text.encode())) // (len(page.sections) - at)  # what one leaves, the next ones have
        text += _section(section, share)
    return text


def _section(section: Section, room: int) -> str:
    """The section's text; where not a single row fits, its title and how many there are."""
    top = f"\n#### {section.title}\n\n"
    heads = f"| {' | '.join(section.heads)} |\n"
    rule = "|" + "".join("---:|" if cell.style == "number" else "---|" for cell in section.rows[0]) + "\n"
    left = room - len((top + heads + rule).encode()) - _RESERVE
    taken: list[str] = []
    for row in section.rows[:ROWS]:
        line = f"| {' | '.join(_cell(cell) for cell in row)} |\n"
        left -= len(line.encode())
        if left < 0:
            break
        taken.append(line)
    missing = len(section.rows) - len(taken)
    more = f"\n… and {missing} more, left out here: `git strata report --format json` tells all.\n" if missing else ""
    return f"{top}{more[1:]}" if not taken else top + heads + rule + "".join(taken) + more


def _cell(cell: Cell) -> str:
    if cell.style == "code":
        return code(cell.text)
    return prose(cell.text) if cell.style == "prose" else cell.text
