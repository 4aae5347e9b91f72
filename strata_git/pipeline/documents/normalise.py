"""Text as every document has it: NFC, `\\n` ends lines, no control characters, no blanks at ends of lines, at most one
empty line in a row, one line end at the end.

Markdown keeps what has a meaning there: two blanks that break a line, and whatever stands in a code fence.
"""

from __future__ import annotations

import re
from unicodedata import is_normalized, normalize

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_HARD_BREAK = re.compile(r"(?<=\S) {2,}(?=\n[^\n\S]*\S)")
_ALL_BLANK_ENDS = re.compile(r"[^\S\n]+(?=\n|\Z)")
_EMPTY_LINES = re.compile(r"\n{3,}")
_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})", re.M)
_KEPT = "\ue000\ue001"  # private use: stands for a hard break while blanks are taken away


def normalised(text: str, *, markdown: bool = False) -> str:
    """`text` in the form described above. Doing it twice changes nothing more."""
    if "\r" in text or not text.isascii() or "\x0b" in text or "\x0c" in text:
        text = _LINE_ENDS.sub("\n", text)
    text = _CONTROL.sub("", text)
    fences = fenced(text) if markdown else []
    text = _around(text, fences) if fences else _plain(text, markdown=markdown)
    text = text.strip("\n")
    text = text.rstrip() if not markdown else text.rstrip("\n")
    return f"{text}\n" if text else ""


def fenced(text: str) -> list[tuple[int, int]]:
    """The code fences of markdown, as (start, end) from the first fence line to the line end of the last (CommonMark
    0.31, 4.5); one that is never closed reaches to the end."""
    found: list[tuple[int, int]] = []
    place = 0
    while opening := _FENCE.search(text, place):
        sign = opening[1]
        closing = re.compile(rf"^ {{0,3}}{re.escape(sign[0])}{{{len(sign)},}}[ \t]*$", re.M)
        line_end = text.find("\n", opening.end())
        closed = closing.search(text, line_end + 1) if line_end >= 0 else None
        end = closed.end() if closed else len(text)
        found.append((opening.start(), end))
        place = end
        if end >= len(text):
            break
    return found


def _around(text: str, fences: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    place = 0
    for start, end in fences:
        parts.append(_plain(text[place:start], markdown=True))
        parts.append(text[start:end])
        place = end
    parts.append(_plain(text[place:], markdown=True))
    return "".join(parts)


def _plain(text: str, *, markdown: bool) -> str:
    if not is_normalized("NFC", text):
        text = normalize("NFC", text)
    if markdown:
        text = _HARD_BREAK.sub(_KEPT, text)
    text = _ALL_BLANK_ENDS.sub("", text)
    if markdown:
        text = text.replace(_KEPT, "  ")
    return _EMPTY_LINES.sub("\n\n", text)
