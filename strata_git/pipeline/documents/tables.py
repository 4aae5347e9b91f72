"""Tables as GitHub's markdown (GFM 4.10), so that a reader of it gets every cell back.

A `|` is escaped, a line end is `<br>`; a `<br` that was there is escaped, and so is a backslash that would escape what
follows it. Nothing else is touched: cells are text, and so are markdown's own signs in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused

_SPECIAL = re.compile(r"[|\\\n\r<]")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~\n\r]|\Z)")
_BREAK = re.compile(r"<(?=br)", re.I)
_LINE_END = re.compile(r"\r\n?|\n")
_JOINT = "\x1f"


def cell(text: str) -> str:
    """One cell's text as it stands between pipes."""
    if not _SPECIAL.search(text):
        return text
    text = _BACKSLASH.sub(r"\\\\", text).replace("|", "\\|")
    return _LINE_END.sub("<br>", _BREAK.sub(r"\\<", text))


def value(data: object) -> str:
    """A value as a cell's text: nothing for None, `true` and `false`, ISO 8601 for moments, bytes in hexadecimal."""
    match data:
        case None:
            return ""
        case str():
            return data
        case bool():
            return "true" if data else "false"
        case int() | Decimal():
            return str(data)
        case float():
            return "" if data != data else repr(int(data)) if data.is_integer() and abs(data) < 1e15 else repr(data)
        case datetime() | date() | time():
            return data.isoformat()
        case timedelta():
            return f"{data.total_seconds():g}s"
        case bytes():
            return data.hex()
        case _:
            return _nested(data)


def _nested(data: object) -> str:
    import json

    return json.dumps(data, ensure_ascii=False, default=lambda one: value(one))


class Rows:
    """Rows gathered for one table: each is kept as one line of text, so that its memory is about the text's.

    Raises Refused when a table has more columns, cells or text than the limits allow.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines: list[str] = []
        self._widths: list[int] = []
        self._size = self._cells = 0
        self.width = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, cells: Sequence[str]) -> None:
        """One more row, of the cells' plain text."""
        width = len(cells)
        if width > self._limits.columns:
            raise Refused("too_large", f"a table has {width} columns, more than {self._limits.columns}")
        joined = _JOINT.join(cells)
        if _SPECIAL.search(joined) or joined.count(_JOINT) != width - 1:
            line = " | ".join([cell(one) for one in cells])
        else:
            line = joined.replace(_JOINT, " | ")
        self._cells += width
        self._size += len(line) + 5
        if self._cells > self._limits.cells:
            raise Refused("too_large", f"a table has more than {self._limits.cells} cells")
        if self._size > self._limits.text:
            raise Refused("too_large", f"its text has more than {self._limits.text} characters")
        self.width = max(self.width, width)
        self._lines.append(line)
        self._widths.append(width)

    def markdown(self, header: Sequence[str] | None = None) -> Iterator[str]:
        """The table line by line, without line ends; its first row is the header unless one is given."""
        if header is None and not self._lines:
            return
        rows = self._padded()
        if header is None:
            yield next(rows)
            width = self.width
        else:
            width = max(self.width, len(header))
            self.width = width
            yield f"| {' | '.join([cell(one) for one in [*header, *[''] * (width - len(header))]])} |"
        self._bounded(width)
        yield f"|{' --- |' * width}"
        yield from rows

    def _padded(self) -> Iterator[str]:
        for line, width in zip(self._lines, self._widths, strict=True):
            short = self.width - width
            yield f"| {line}{' | ' * short if width else ' | ' * (short - 1)} |"

    def _bounded(self, width: int) -> None:
        """Short rows are filled up: a single long one must not make millions of blanks."""
        blanks = 3 * (width * len(self._widths) - sum(self._widths))
        if blanks + self._size > self._limits.text:
            raise Refused("too_large", f"as a table its text has more than {self._limits.text} characters")


def table(rows: Iterable[Sequence[object]], header: Sequence[str] | None = None, limits: Limits | None = None) -> str:
    """Rows of values as one markdown table, with a line end at the end; empty when there is nothing."""
    gathered = Rows(limits or Limits())
    for row in rows:
        gathered.add([value(one) for one in row])
    lines = list(gathered.markdown(header))
    return "\n".join(lines) + "\n" if lines else ""
