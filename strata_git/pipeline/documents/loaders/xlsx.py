"""Workbooks: every sheet as a markdown table, read cell by cell in one pass.

Read by ourselves: one pass gives a formula and the value it had, merged cells and hidden sheets, and stops at the first
cell beyond the limits; openpyxl needs two passes for the former, the whole sheet in memory for the latter.
"""

from __future__ import annotations

import re

from strata_git.pipeline.documents.archive import Archive, opened
from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.loaders.xlsx_parts import Book, Sheet, events, moment, read_book, unescaped
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.tables import Rows

_PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_LAST_ROW = 1_048_576
_LAST_COLUMN = 16_384


def load(blob: Blob, limits: Limits) -> Loaded:
    """All sheets in their order, each under its title."""
    with blob.open() as stream, opened(stream, limits) as archive:
        book = read_book(archive)
        parts: list[str] = []
        notes: list[str] = []
        facts: list[dict[str, object]] = []
        size = 0
        for sheet in book.sheets:
            if not sheet.member:
                notes.append(f"'{sheet.title}' is no sheet of cells")
                continue
            reader = Cells(book, limits)
            reader.read(archive, sheet)
            about = reader.about(sheet)
            facts.append(about)
            notes += reader.notes(sheet)
            title = " ".join(sheet.title.split())
            body = "\n".join(reader.rows.markdown())
            parts.append(f"## {title}{' (hidden)' if sheet.hidden else ''}\n\n{body}".rstrip())
            size += len(parts[-1])
            if size > limits.text:
                raise Refused("too_large", f"its text has more than {limits.text} characters")
        return Loaded("\n\n".join(parts) + "\n" if parts else "", True, {"sheets": facts}, tuple(notes))


class Cells:
    """One sheet's cells, gathered into rows as they are met. Rows and columns before the first filled one are left
    out; empty rows between stay."""

    def __init__(self, book: Book, limits: Limits) -> None:
        self.rows = Rows(limits)
        self._book, self._limits = book, limits
        self._merged: list[str] = []
        self._formulas = self._uncomputed = 0
        self._row = self._column = 0
        self._cells: dict[int, str] = {}
        self._last = 0
        self._kind, self._style, self._pieces = "n", 0, list[str]()
        self._formula: list[str] = []
        self._has_formula = False
        self._into: list[str] | None = None
        self._pending: list[tuple[int, dict[int, str]]] = []
        self._first_column = _LAST_COLUMN

    def read(self, archive: Archive, sheet: Sheet) -> None:
        """Fill `rows`. Raises Refused."""
        events(archive, sheet.member, self._start, self._end, self._text)
        self._end_row()
        self._lay()

    def about(self, sheet: Sheet) -> dict[str, object]:
        """Facts for the document's metadata."""
        told: dict[str, object] = {
            "title": sheet.title, "rows": len(self.rows), "columns": self.rows.width, "hidden": sheet.hidden
        }  # fmt: skip
        if self._merged:
            told["merged"] = self._merged[:1000]
        return told | ({"formulas": self._formulas} if self._formulas else {})

    def notes(self, sheet: Sheet) -> list[str]:
        """What a reader of the text should know."""
        notes = []
        if sheet.hidden:
            notes.append(f"the sheet '{sheet.title}' is hidden")
        if self._merged:
            notes.append(
                f"the sheet '{sheet.title}' has {len(self._merged)} merged ranges; the first cell has the value"
            )
        if self._uncomputed:
            notes.append(
                f"the sheet '{sheet.title}' has {self._uncomputed} formulas without a value; they stand as text"
            )
        return notes

    # -- events, the frequent ones first --------------------------------------------------------------------------

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v" or name == "t":
            self._into = self._pieces
        elif name == "f":
            self._has_formula, self._into = True, self._formula
        elif name == "row":
            self._end_row()
            given = attributes.get("r", "")
            self._row = int(given) if given.isdecimal() else self._last + 1
            self._column = 0
            if not self._last < self._row <= _LAST_ROW:
                raise Refused("malformed", f"its row {self._row} is out of order or beyond {_LAST_ROW}")
        elif name == "mergeCell":
            self._merged.append(attributes.get("ref", ""))
        elif name == "rPh":
            self._into = None

    def _text(self, data: str) -> None:
        if self._into is not None:
            self._into.append(data)

    def _end(self, name: str) -> None:
        if name == "v" or name == "t" or name == "f":
            self._into = None
        elif name == "c":
            text = self._value()
            if text:
                self._cells[self._column] = text
                if self._column < self._first_column:
                    self._first_column = self._column

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        place = attributes.get("r")
        if place is None:
            self._column += 1
        else:
            found = _PLACE.fullmatch(place)
            if found is None:
                raise Refused("malformed", f"'{place[:20]}' is no cell")
            column = 0
            for letter in found[1].upper():
                column = 26 * column + ord(letter) - 64
            self._column = column
        if self._column > min(_LAST_COLUMN, self._limits.columns):
            raise Refused("too_large", f"a cell in column {self._column} is beyond {self._limits.columns}")
        self._kind = attributes.get("t", "n")
        style = attributes.get("s", "0")
        self._style = int(style) if style.isdecimal() else 0
        self._pieces, self._formula, self._has_formula = [], [], False

    def _value(self) -> str:
        """The cell's text: the value it shows, or the formula where it was never computed."""
        raw = "".join(self._pieces)
        if self._has_formula:
            self._formulas += 1
            if not raw:
                self._uncomputed += 1
                return f"={''.join(self._formula)}" if self._formula else ""
        if self._kind == "s":
            texts = self._book.texts
            if not raw.isdecimal() or int(raw) >= len(texts):
                raise Refused("malformed", f"a cell names text {raw[:20]} of {len(texts)}")
            return texts[int(raw)]
        if self._kind == "b":
            return "true" if raw.strip() in ("1", "true") else "false"
        if self._kind in ("str", "inlineStr"):
            return unescaped(raw)
        return self._number(raw) if self._kind == "n" else raw

    def _number(self, raw: str) -> str:
        dates = self._book.dates
        if raw and self._style < len(dates) and dates[self._style]:
            try:
                return moment(float(raw), self._book.since_1904) or raw
            except ValueError:
                return raw
        if "." in raw or "E" in raw or "e" in raw:
            try:
                number = float(raw)
            except ValueError:
                return raw
            return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
        return raw

    # -- rows -----------------------------------------------------------------------------------------------------

    def _end_row(self) -> None:
        if self._row:
            self._last = self._row
        if not self._cells:
            return
        self._pending.append((self._row, self._cells))
        self._cells = {}
        if len(self._pending) > self._limits.cells:
            raise Refused("too_large", "it has too many rows")

    def _lay(self) -> None:
        """Rows from the first filled one on, columns from the first filled one on."""
        before, first = 0, self._first_column
        for number, cells in self._pending:
            for _ in range(min(number - before - 1, 100) if before else 0):
                self.rows.add([""])
            before = number
            last = max(cells)
            get = cells.get
            self.rows.add([get(column, "") for column in range(first, last + 1)])
        self._pending = []
