"""What a workbook says beside its cells: sheets, shared texts, number formats (ECMA-376 part 1, 18.2 to 18.8)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strata_git.pipeline.documents.archive import Archive, guarded_parser
from strata_git.pipeline.documents.refusal import Refused

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)})
_QUOTED = re.compile(r'"[^"]*"|\[(?!h{1,2}\]|m{1,2}\]|s{1,2}\])[^\]]*\]|\\.|_.|\*.', re.I)
_OLDEST = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no time zones
_OLDEST_1904 = datetime(1904, 1, 1)  # noqa: DTZ001

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's title, its member of the archive, and whether people see it."""

    title: str
    member: str
    hidden: bool


@dataclass(frozen=True, slots=True)
class Book:
    """All that reading cells needs. `dates`: by style index, whether its numbers are moments."""

    sheets: tuple[Sheet, ...]
    texts: tuple[str, ...]
    dates: tuple[bool, ...]
    since_1904: bool


def events(archive: Archive, member: str, start: Start, end: End | None = None, text: Text | None = None) -> None:
    """Read an XML member through handlers; names come without their namespaces. Raises Refused for what is no XML."""
    from xml.parsers.expat import ExpatError

    parser = guarded_parser()
    local: dict[str, str] = {}

    def started(name: str, attributes: dict[str, str]) -> None:
        short = local.get(name) or local.setdefault(name, name.rpartition(" ")[2])
        start(short, attributes)

    def ended(name: str) -> None:
        end(local[name])  # type: ignore[misc]

    parser.StartElementHandler = started  # type: ignore[attr-defined]
    if end is not None:
        parser.EndElementHandler = ended  # type: ignore[attr-defined]
    if text is not None:
        parser.CharacterDataHandler = text  # type: ignore[attr-defined]
    try:
        for part in archive.parts(member):
            parser.Parse(part, False)
        parser.Parse(b"", True)
    except ExpatError as error:
        raise Refused("malformed", f"{member}: {error}") from None


def read_book(archive: Archive) -> Book:
    """The workbook's own parts. Raises Refused."""
    if not archive.has("xl/workbook.xml"):
        reason = "it is a binary workbook (xlsb)" if archive.has("xl/workbook.bin") else "it has no workbook"
        raise Refused("unsupported" if "binary" in reason else "malformed", reason)
    sheets, since_1904 = _sheets(archive)
    return Book(sheets, _shared_texts(archive), _date_styles(archive), since_1904)


def moment(serial: float, since_1904: bool) -> str:
    """A day number with fraction as ISO 8601: a date, a time of day (below one), or both. Empty when it is none."""
    if not 0 <= serial < 2_958_466:
        return ""
    if not since_1904 and serial < 60:
        serial += 1  # the first of the two calendars has a 29 February 1900
    base = _OLDEST_1904 if since_1904 else _OLDEST
    try:
        found = base + timedelta(milliseconds=round(serial * 86_400_000))
    except OverflowError:
        return ""
    if found.microsecond % 1000 == 0 and found.microsecond // 1000 in (1, 999):  # rounding of the fraction
        found = (found + timedelta(milliseconds=1)).replace(microsecond=0)
    if serial < (1 if since_1904 else 2) and serial % 1:
        return found.time().isoformat()
    return found.date().isoformat() if found.time() == datetime.min.time() else found.isoformat()


def is_date_format(code: str) -> bool:
    """Whether a number format shows moments: it has a day, month, year, hour or second outside of quotes."""
    bare = _QUOTED.sub("", code.partition(";")[0])
    return "general" not in bare.lower() and bool(re.search(r"[dyhs]|m{1,5}", bare, re.I)) and "#" not in bare


def _sheets(archive: Archive) -> tuple[tuple[Sheet, ...], bool]:
    found: list[tuple[str, str, bool]] = []
    flags: list[bool] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(" id")), "")
            found.append((attributes.get("name", ""), relation, attributes.get("state", "visible") != "visible"))
        elif name == "workbookPr":
            flags.append(attributes.get("date1904", "0") in ("1", "true"))

    events(archive, "xl/workbook.xml", start)
    targets = _relations(archive)
    sheets = [Sheet(title, targets.get(relation, ""), hidden) for title, relation, hidden in found]
    return tuple(sheets), any(flags)


def _relations(archive: Archive) -> Mapping[str, str]:
    found: dict[str, str] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("Type", "").rpartition("/")[2]
        if name == "Relationship" and kind == "worksheet" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            found[attributes.get("Id", "")] = (
                target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
            )

    events(archive, "xl/_rels/workbook.xml.rels", start)
    return found


def _shared_texts(archive: Archive) -> tuple[str, ...]:
    member = next((name for name in archive.names if name.lower() == "xl/sharedstrings.xml"), None)
    if member is None:
        return ()
    texts = _Texts()
    events(archive, member, texts.start, texts.end, texts.text)
    return tuple(texts.found)


class _Texts:
    """Shared texts as they go by: the runs of each put together, readings of Chinese characters (`rPh`) left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._pieces: list[str] = []
        self._in_text = self._in_reading = False

    def start(self, name: str, _: dict[str, str]) -> None:
        if name == "si":
            self._pieces.clear()
        elif name == "rPh":
            self._in_reading = True
        elif name == "t":
            self._in_text = not self._in_reading

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "rPh":
            self._in_reading = False
        elif name == "si":
            self.found.append(unescaped("".join(self._pieces)))

    def text(self, data: str) -> None:
        if self._in_text:
            self._pieces.append(data)


def _date_styles(archive: Archive) -> tuple[bool, ...]:
    if not archive.has("xl/styles.xml"):
        return ()
    own: dict[str, bool] = {}
    styles: list[bool] = []
    inside = {"cellXfs": False}

    def start(name: str, attributes: dict[str, str]) -> None:
        number = attributes.get("numFmtId", "0")
        if name == "numFmt":
            own[number] = is_date_format(attributes.get("formatCode", ""))
        elif name == "cellXfs":
            inside[name] = True
        elif name == "xf" and inside["cellXfs"]:
            styles.append(own.get(number, number.isdecimal() and int(number) in _DATE_FORMATS))

    def end(name: str) -> None:
        if name == "cellXfs":
            inside[name] = False

    events(archive, "xl/styles.xml", start, end)
    return tuple(styles)


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """Characters that XML cannot hold stand as `_xHHHH_` (ECMA-376 part 1, 22.4.2.4)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
