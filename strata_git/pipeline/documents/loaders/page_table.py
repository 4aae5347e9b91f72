"""A page's table: cells that reach over rows and columns are laid out, so that every row has its columns in place."""

from __future__ import annotations

from collections.abc import Mapping

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.tables import Rows

_SPAN = 1000  # as far as browsers go


class PageTable:
    """Gathers rows from `start` and `end` of `tr`, `td` and `th`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rows: list[list[str]] = []
        self._row: list[str] | None = None
        self._cell: list[str] = []
        self._across = self._down = 1
        self._hanging: dict[int, int] = {}  # column: how many rows, this one included, a cell above reaches down
        self._below: dict[int, int] = {}  # the same, for cells of this row and the rows below it
        self._cells = 0
        self.in_cell = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A row or a cell begins; what is still open ends."""
        if tag == "tr":
            self._end_row()
            self._row = []
            return
        self._end_cell()
        if self._row is None:
            self._row = []
        self.in_cell, self._cell = True, []
        self._across = _span(attributes.get("colspan"))
        self._down = _span(attributes.get("rowspan"))

    def end(self, tag: str) -> None:
        """A row or a cell ends."""
        if tag == "tr":
            self._end_row()
        else:
            self._end_cell()

    def add(self, text: str) -> None:
        """A block of the open cell."""
        self._cell.append(text)

    def close(self) -> None:
        """The table ends."""
        self._end_row()

    def markdown(self) -> str:
        """As a table; as plain lines where it has one column only, as tables for layout do."""
        kept = [row for row in self._rows if any(row)]
        if not kept:
            return ""
        if max(map(len, kept)) == 1:
            return "\n\n".join(row[0].replace("\n", "\n\n") for row in kept)
        rows = Rows(self._limits)
        for row in kept:
            rows.add(row)
        return "\n".join(rows.markdown())

    def plain(self) -> str:
        """As lines within another table's cell."""
        return "\n".join(", ".join(one for one in row if one) for row in self._rows if any(row))

    def _end_cell(self) -> None:
        if not self.in_cell or self._row is None:
            return
        self._fill()
        column = len(self._row)
        self._row.append("\n".join(self._cell))
        self._row += [""] * (self._across - 1)
        if self._down > 1:
            self._below.update(dict.fromkeys(range(column, column + self._across), self._down - 1))
        self.in_cell = False
        self._cells += self._across
        if self._cells > self._limits.cells or len(self._row) > self._limits.columns:
            Rows(self._limits).add(self._row)  # refuses too many columns in its own words
            self._row, self._cells = self._row[: self._limits.columns], 0

    def _fill(self) -> None:
        """Places that a cell of a row above reaches down to stay empty."""
        assert self._row is not None  # noqa: S101 - asked by the callers
        while self._hanging.get(len(self._row), 0):
            self._row.append("")

    def _end_row(self) -> None:
        self._end_cell()
        if self._row is None:
            return
        self._fill()
        self._rows.append(self._row)
        self._row = None
        self._hanging = {column: left - 1 for column, left in self._hanging.items() if left > 1} | self._below
        self._below = {}


def _span(text: str | None) -> int:
    return max(1, min(int(text), _SPAN)) if text and text.isdecimal() and len(text) < 7 else 1
