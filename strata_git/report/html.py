"""A page as one HTML file: no script, nothing from outside, a policy that forbids both, readable in the dark. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape

from strata_git.errors import printable
from strata_git.report.plots import line_plot
from strata_git.report.sections import Cell, Page, Section
from strata_git.report.values import Series

STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--paper:#fff;--soft:#5b6670;--line:#d5dbe0;--mark:#0b62a8;--bad:#b3261e}
:root{--good:#1a7f37;--warn:#9a6700}
@media(prefers-color-scheme:dark){
:root{--ink:#e6e9ec;--paper:#14181c;--soft:#9aa5af;--line:#343c44;--mark:#6cb6ff;--bad:#ff8a80}
:root{--good:#57d27f;--warn:#e3b341}}
body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.5 system-ui,sans-serif}
body{color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem;border-left:.4rem solid var(--mark);padding-left:.6rem}h1.failed{border-color:var(--bad)}
h2{font-size:1.1rem;margin-top:2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}th{color:var(--soft);font-weight:600}
code{font:.85em ui-monospace,monospace;overflow-wrap:break-word}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:1rem}figure{margin:0}
figcaption{font-size:.85rem;color:var(--soft)}.plot{width:100%;height:auto}
.line{fill:none;stroke:var(--mark);stroke-width:2}.dot{fill:var(--mark)}.last{fill:var(--bad)}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.axis{fill:var(--soft);font:10px ui-monospace,monospace}footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
""".strip()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
_MARKS = {
    "✅": ("good", "✓", "passes"), "❌": ("bad", "✗", "does not pass"), "⚠️": ("warn", "!", "warning"),
    "🟢": ("good", "▲", "better"), "🟡": ("warn", "▽", "worse, tolerated"), "🔴": ("bad", "▼", "worse"),
    "🛈": ("info", "i", "information"),
}  # fmt: skip
"""Signs as every font has them: class, character, and the word for whoever does not see it."""
_SIGNS = {0: "passes", 1: "passes, with warnings"}


def to_html(page: Page, *, title: str, series: Iterable[Series] = ()) -> str:
    """The page with a plot for each of `series`."""
    plots = "".join(
        f"<figure>{line_plot(each)}<figcaption><code>{_text(each.name)}</code> {_text(each.metric)}</figcaption>"
        "</figure>"
        for each in series
    )
    failed = ' class="failed"' if page.code is not None and page.code > 1 else ""
    verdict = "" if page.code is None else f"<p>{_SIGNS.get(page.code, 'does not pass')}</p>"
    return "".join((
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY, quote=True)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1{failed}>{_text(title)}: {_text(page.headline)}</h1>{verdict}",
        "".join(f"<p>{' '.join(_cell(cell) for cell in line)}</p>" for line in page.lines),
        f'<section><h2>Histories</h2><div class="plots">{plots}</div></section>' if plots else "",
        "".join(_section(section) for section in page.sections),
        "</main><footer>Made by git strata report.</footer></body></html>\n",
    ))  # fmt: skip


def _section(section: Section) -> str:
    styles = [_kind(cell) for cell in section.rows[0]]
    heads = "".join(
        f'<th scope="col"{style}>{_text(head)}</th>' if head else "<td></td>"
        for head, style in zip(section.heads, styles, strict=True)
    )
    rows = "".join(f"<tr>{''.join(_column(cell) for cell in row)}</tr>" for row in section.rows)
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    label = escape(section.title, quote=True)
    scroll = f'<div class="wide" role="region" aria-label="{label}" tabindex="0">{table}</div>'
    return f"<section><h2>{_text(section.title)}</h2>{scroll}</section>"


def _column(cell: Cell) -> str:
    return f"<td{_kind(cell)}>{_cell(cell)}</td>"


def _kind(cell: Cell) -> str:
    return ' class="number"' if cell.style == "number" else ""


def _cell(cell: Cell) -> str:
    if cell.style == "sign" and cell.text in _MARKS:
        name, mark, word = _MARKS[cell.text]
        return f'<span class="{name}" role="img" aria-label="{word}" title="{word}">{mark}</span>'
    return f"<code>{_text(cell.text)}</code>" if cell.style == "code" and cell.text else _text(cell.text)


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
