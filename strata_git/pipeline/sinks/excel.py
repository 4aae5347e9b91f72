"""A sheet of a workbook in SharePoint: downloaded, changed, put back if nobody else changed it meanwhile (If-Match).

With `key_fields` rows are replaced by their keys, without such they are added below. The first row holds the names of
columns; further ones are added to the right, what else is in the workbook stays as openpyxl keeps it. A hidden sheet
says which parts of which runs are in it. Text is stored as text, so that no spreadsheet computes it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from zipfile import BadZipFile

from strata_git.contracts.pipeline import ExcelSink
from strata_git.errors import printable
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Row
from strata_git.pipeline.sinks.exporter import PART, Receipt, already_other, keys_held, require_names
from strata_git.pipeline.sinks.spool import Spool, spooled
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.sharepoint import Drive, graph_for

_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LEDGER = "strata_exports"
_HEAD = ("target", "run", "part", "digest", "rows")
_MOST_BYTES = 100 << 20
_MOST_ROWS, _MOST_COLUMNS, _LONGEST = 1_048_576, 16_384, 32_767
_WHOLE = 10**15


def exporter(settings: ExcelSink, place: Place) -> Excel:
    """The exporter for those settings."""
    graph = graph_for(settings, place, ExportError)
    return Excel(place.name, settings, Drive(graph, settings.site, settings.drive))


@dataclass(frozen=True, slots=True)
class Excel:
    """One sheet."""

    name: str
    settings: ExcelSink
    drive: Drive
    backoff: Backoff = field(default=Backoff(attempts=5), repr=False)

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """All rows in one upload, or none; what somebody else saved meanwhile is taken up and kept."""
        require_names(self.name, run_id, part)
        with spooled(self.name, rows) as spool:
            keys = self.settings.key_fields
            places, dropped = spool.distinct(self.name, keys) if keys else (list(range(spool.count)), 0)
            written = self.backoff.call(lambda: self._once(spool, places, run_id, part))
            uri = f"{self.settings.site}/{self.settings.drive}/{self.settings.path}#{self.settings.sheet}"
            return Receipt(self.name, uri, run_id, part, spool.digest, spool.count, written, dropped)

    def _once(self, spool: Spool, places: Sequence[int], run_id: str, part: str) -> int:
        """One round of download, change and upload."""
        item = self._item()
        book = self._book(item)
        if self._is_there(book, spool, run_id, part):
            return 0
        sheet = self._sheet(book)
        written = self._filled(sheet, spool, places)
        ledger = book[_LEDGER] if _LEDGER in book.sheetnames else book.create_sheet(_LEDGER)
        if ledger.max_row <= 1 and ledger["A1"].value is None:
            ledger.sheet_state = "hidden"
            _write_row(ledger, 1, _HEAD)
        _write_row(ledger, ledger.max_row + 1, (self.settings.sheet, run_id, part, spool.digest, spool.count))
        self._upload(book, item)
        return written

    def _item(self) -> Mapping[str, Any] | None:
        try:
            return self.drive.graph.get(self.drive.at(self.settings.path), self._what)
        except ExportError as error:
            if error.kind == "not_found" and error.status == 404:
                return None
            raise

    def _book(self, item: Mapping[str, Any] | None) -> Any:
        from openpyxl import Workbook, load_workbook
        from openpyxl.utils.exceptions import InvalidFileException

        if item is None:
            book = Workbook()
            book.active.title = self.settings.sheet
            return book
        if int(item.get("size", 0)) > _MOST_BYTES:
            raise ExportError(f"{self.drive.graph.name}: {self._what} is larger than 100 MiB.")
        path = f"{self.drive.path}/items/{quote(str(item['id']), safe='!')}"
        with self.drive.graph.download(path, self._what) as stream:
            data = stream.read(_MOST_BYTES + 1)
        try:
            return load_workbook(io.BytesIO(data), rich_text=True)
        except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError):
            raise ExportError(
                f"{self.name}: {self._what} is not a workbook that can be changed.",
                hint="An .xlsx without a password is expected.",
            ) from None

    def _sheet(self, book: Any) -> Any:
        named = self.settings.sheet
        return book[named] if named in book.sheetnames else book.create_sheet(named)

    def _is_there(self, book: Any, spool: Spool, run_id: str, part: str) -> bool:
        if _LEDGER not in book.sheetnames:
            return False
        for row in book[_LEDGER].iter_rows(min_row=2, values_only=True):
            if row[:3] == (self.settings.sheet, run_id, part):
                if row[3] != spool.digest:
                    raise already_other(self.name, self.settings.path, run_id, part)
                return True
        return False

    def _filled(self, sheet: Any, spool: Spool, places: Sequence[int]) -> int:
        """Put the rows in; how many were new or another than before."""
        columns = _columns(sheet, list(spool.columns))
        known = self._known(sheet, columns)
        end = sheet.max_row if sheet.max_row > 1 or sheet["A1"].value is not None else 1
        if end + len(places) > _MOST_ROWS or len(columns) > _MOST_COLUMNS:
            raise ExportError(f"{self.name}: a sheet has room for {_MOST_ROWS} rows and {_MOST_COLUMNS} columns.")
        written = 0
        for row in spool.at(places):
            place = known.get(_text_key(keys_held(self.name, row, self.settings.key_fields)))
            if place is None or not self.settings.key_fields:
                end += 1
                place = end
            written += self._put(sheet, place, columns, row)
        return written

    def _known(self, sheet: Any, columns: Mapping[str, int]) -> dict[str, int]:
        """The rows that are there, by their keys."""
        keys = [columns[name] for name in self.settings.key_fields if name in columns]
        if not keys or len(keys) < len(self.settings.key_fields):
            return {}
        found = {}
        for number, row in enumerate(sheet.iter_rows(min_row=2, values_only=True), 2):
            found[_text_key([row[place - 1] if place <= len(row) else None for place in keys])] = number
        return found

    def _put(self, sheet: Any, place: int, columns: Mapping[str, int], row: Row) -> bool:
        changed = False
        for name, value in row.items():
            cell = sheet.cell(place, columns[name])
            held = self._held(value)
            if cell.value != held or isinstance(cell.value, bool) != isinstance(held, bool):
                _set(cell, held)
                changed = True
        return changed

    def _held(self, value: object) -> object:
        """A plain value as a cell has it: whole numbers that a spreadsheet would round, lists and mappings are text."""
        if isinstance(value, list | dict) or (isinstance(value, int) and abs(value) >= _WHOLE):
            value = json.dumps(value, ensure_ascii=False)
        if not isinstance(value, str):
            return value
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

        text = str(ILLEGAL_CHARACTERS_RE.sub("\ufffd", value))
        if len(text) > _LONGEST:
            raise ExportError(f"{self.name}: a text of {len(text)} characters; a cell holds {_LONGEST}.")
        return text or None

    def _upload(self, book: Any, item: Mapping[str, Any] | None) -> None:
        data = io.BytesIO()
        book.save(data)
        headers = {"Content-Type": _TYPE}
        if item is None:
            path = f"{self.drive.at(self.settings.path)}/content?@microsoft.graph.conflictBehavior=fail"
        else:
            path = f"{self.drive.path}/items/{quote(str(item['id']), safe='!')}/content"
            headers["If-Match"] = str(item.get("eTag", ""))
        try:
            self.drive.graph.send("PUT", path, self._what, content=data.getvalue(), headers=headers)
        except ExportError as error:
            if error.kind == "conflict":  # somebody saved it: begin again with what is there now
                error.retryable = True
            raise

    @property
    def _what(self) -> str:
        return f"workbook {printable(self.settings.path)}"


def _columns(sheet: Any, names: Sequence[str]) -> dict[str, int]:
    """Where each column is; those that are missing get their names written to the right of the others."""
    there: dict[str, int] = {}
    last = 0
    for place, value in enumerate(next(sheet.iter_rows(min_row=1, max_row=1, values_only=True), ()), 1):
        if value is not None:
            there.setdefault(str(value), place)
            last = place
    for name in names:
        if name not in there:
            last += 1
            there[name] = last
            _set(sheet.cell(1, last), name)
    return there


def _write_row(sheet: Any, place: int, values: Iterable[object]) -> None:
    for column, value in enumerate(values, 1):
        _set(sheet.cell(place, column), value)


def _set(cell: Any, value: object) -> None:
    """A value, text always as text: neither the program that opens the file nor whoever edits the cell computes it."""
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"
        cell.quotePrefix = value.lstrip(" ").startswith(("=", "+", "-", "@"))


def _text_key(values: Iterable[object]) -> str:
    return json.dumps([_whole(value) for value in values], default=str, ensure_ascii=False)


def _whole(value: object) -> object:
    """A number as a spreadsheet gives it back: 1.0 is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
