"""Documents that are damaged, disguised or dangerous, each made by a few lines, with what is to become of it.

`corpus()` gives name -> `Broken`: its bytes, and the reason for which it is left out, or `read` when it is read all the
same, with words that its notes hold.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

XLSX = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


@dataclass(frozen=True, slots=True)
class Broken:
    """`fate` is `read` or a refusal's `why` (several, where versions of a library differ); `said` stands in a note or
    reason; `text` in the text."""

    data: bytes
    fate: str | tuple[str, ...]
    said: str = ""
    text: str = ""

    @property
    def fates(self) -> tuple[str, ...]:
        return (self.fate,) if isinstance(self.fate, str) else self.fate


def archive(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in members.items():
            made.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)
    return out.getvalue()


def workbook(rows: str, *, sheet: str = "Sheet1", state: str = "", **members: bytes | None) -> bytes:
    """A workbook of one sheet, whose rows are given as XML. `members` replace (or, None, leave out) its parts."""
    parts: dict[str, bytes | None] = {
        "[Content_Types].xml": b"<Types/>",
        "xl/workbook.xml": f'<workbook xmlns="{XLSX}" xmlns:r="{_RELATIONS}"><sheets>'
        f'<sheet name="{sheet}" sheetId="1" r:id="rId1"{state}/></sheets></workbook>'.encode(),
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'.encode(),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{XLSX}"><sheetData>{rows}</sheetData></worksheet>'.encode(),
    }
    named = {"book": "xl/workbook.xml", "cells": "xl/worksheets/sheet1.xml", "texts": "xl/sharedStrings.xml"}
    parts |= {named.get(name, name): data for name, data in members.items()}
    return archive({name: data for name, data in parts.items() if data is not None})


def pdf(*, encrypted: bool = False, text: str = "Hello") -> bytes:
    """A page of one line; `encrypted`: with a password that nobody knows."""
    stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>" % (b"4f" * 32, b"55" * 32),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    extra = (
        b" /Encrypt 6 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]"
        if encrypted
        else b""
    )
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, extra, len(out))
    )


def png(width: int = 4, height: int = 4, *, rows: bytes | None = None) -> bytes:
    """A grey picture whose header says so wide and high, whatever its data hold."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = rows if rows is not None else b"".join(b"\0" + bytes(range(width)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(data)) + part(b"IEND", b"")


def parquet(rows: int = 100) -> bytes:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    write_table(pa.table({"number": list(range(rows)), "word": [f"w{one}" for one in range(rows)]}), out)
    return out.getvalue()


def jpeg() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(out, "JPEG")
    return out.getvalue()


def word(text: str = "Hello") -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return archive({
        "[Content_Types].xml": b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r" Type="{_RELATIONS}/officeDocument" '
        'Target="word/document.xml"/></Relationships>'.encode(),
        "word/document.xml": f'<w:document xmlns:w="{space}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p>'
        "</w:body></w:document>".encode(),
    })  # fmt: skip


def _cell(place: str, number: str = "1") -> str:
    return f'<row r="{place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ") or 1}"><c r="{place}"><v>{number}</v></c></row>'


_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><w>&c;</w>'
)
_OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w>&x;</w>'


def _texts() -> Iterator[tuple[str, Broken]]:
    scrambled = random.Random(7).randbytes(20_000)
    yield "empty.txt", Broken(b"", "read", "empty")
    yield "blanks.txt", Broken(b" \n\t\n  ", "read", "no text")
    yield "invalid-utf8.txt", Broken("Grüße aus Köln und München ".encode() * 20 + b"\xff\xfe\xfa end", "read", "utf-8")
    yield "latin1.txt", Broken("Größe: fünf Äpfel".encode("latin-1"), "read", "windows-1252", "fünf")
    yield "utf16.txt", Broken("﻿Ünïcode".encode("utf-16-le"), "read", "", "Ünïcode")
    yield "utf16-without-mark.txt", Broken("plain words in two bytes".encode("utf-16-be"), "read", "", "two bytes")
    yield "utf16-odd.txt", Broken("﻿words".encode("utf-16-le") + b"\0", "read", "utf-16")
    yield "utf32.txt", Broken("﻿words".encode("utf-32-le"), "read", "", "words")
    yield "noise.txt", Broken(b"\0" + scrambled, "unsupported", "binary")
    yield "noise", Broken(b"\0" + scrambled, "unsupported")
    yield "control.txt", Broken(b"a\x1b[31mred\x07\x08b" * 10, "read", "", "red")
    yield "one-line.txt", Broken(b"x" * 2_000_000, "read")
    yield (
        "fence-never-closed.md",
        Broken(b"# A\n\n```python\ndef f():\n    pass   \n", "read", "", "def f():\n    pass"),
    )
    yield "brackets.md", Broken(b"[" * 50_000, "read")
    yield "program.txt", Broken(b"\x7fELF\x02\x01\x01" + bytes(100), "unsupported", "elf")
    yield "half-a-letter.txt", Broken("ä".encode()[:1], "read", "")


def _pages() -> Iterator[tuple[str, Broken]]:
    yield "deep.html", Broken(b"<html><body>" + b"<div>" * 100_000 + b"deep", "read", "", "deep")
    yield "deep-lists.html", Broken(b"<html>" + b"<ul><li>" * 5_000 + b"deep", "read", "", "deep")
    yield "deep-tables.html", Broken(b"<html>" + b"<table><tr><td>" * 3_000 + b"deep", ("read", "malformed"))
    yield "never-closed.html", Broken(b"<!doctype html><p>one <b>two <a href='x", "read", "", "one")
    yield (
        "wide-span.html",
        Broken(b"<html><table><tr>" + b"<td colspan=1000>x</td>" * 100 + b"</tr></table>", "too_large", "columns"),
    )
    yield "nul.html", Broken(b"<html><p>be\0fore</p></html>", "read", "", "before")
    yield "wrong-charset.html", Broken(b'<html><meta charset="no-such-thing"><p>words</p>', "read", "", "words")
    yield "base64-charset.html", Broken(b'<html><meta charset="base64"><p>words</p>', "read", "", "words")
    yield "attributes.html", Broken(b"<html><p " + b"a='b' " * 100_000 + b">words</p>", "read", "", "words")
    yield "comment.html", Broken(b"<html><p>seen</p><!-- " + b"-" * 100_000, "read", "", "seen")
    yield (
        "page-as-picture.png",
        Broken(b"<!doctype html><p>not a picture</p>", "read", "its name says png", "not a picture"),
    )


def _tables() -> Iterator[tuple[str, Broken]]:
    yield (
        "formulas.csv",
        Broken(b"name,total\n=cmd|'/c calc'!A0,@SUM(A1)\n-2+3,+1\n", "read", "", "=cmd\\|'/c calc'!A0 | @SUM(A1)"),
    )
    yield "million-columns.csv", Broken(b"a," * 1_000_000 + b"b\n1,2\n", "too_large", "columns")
    yield "ragged.csv", Broken(b"a,b\n1\n1,2,3\n", "read", "2 rows")
    yield "open-quote.csv", Broken(b'a,b\n1,"never closed\n2,3\n', "read", "", "never closed")
    yield "nul.csv", Broken(b"a,b\n1,\0\n", "unsupported", "binary")
    yield "header-only.csv", Broken(b"a,b\n", "read", "", "| a | b |")
    yield "picture.csv", Broken(png(), "read", "its name says csv")
    yield "truncated.parquet", Broken(parquet()[:-20], "malformed")
    yield "middle-gone.parquet", Broken(parquet()[:60] + parquet()[-200:], "malformed")
    yield "flipped.parquet", Broken(_flipped(parquet(5_000), 40), ("malformed", "read", "crashed"))
    yield (
        "footer-lies.parquet",
        Broken(b"PAR1" + b"\x15\x04" * 50 + struct.pack("<I", 2**31 - 1) + b"PAR1", "malformed"),
    )
    yield "encrypted.parquet", Broken(b"PARE" + bytes(64) + b"PARE", "encrypted")
    yield "text.parquet", Broken(b"number,word\n1,one\n", "read", "its name says parquet")


def _workbooks() -> Iterator[tuple[str, Broken]]:
    good = workbook(_cell("A1"))
    yield "truncated.xlsx", Broken(good[: len(good) // 2], "malformed", "archive")
    yield "formulas.xlsx", Broken(
        workbook('<row r="1"><c r="A1" t="str"><f>cmd|\'/c calc\'!A0</f></c><c r="B1"><f>1+1</f><v>2</v></c></row>'),
        "read", "1 formulas without a value", "=cmd\\|'/c calc'!A0 | 2",
    )  # fmt: skip
    yield "column-beyond.xlsx", Broken(workbook(_cell("ZZZ1")), "too_large", "column 18278")
    yield (
        "million-columns.xlsx",
        Broken(
            workbook('<row r="1">' + '<c r="A1"/>' * 5 + "<c><v>1</v></c>" * 1_000_000 + "</row>"),
            "too_large",
            "column",
        ),
    )
    yield "no-cell.xlsx", Broken(workbook('<row r="1"><c r="11A"><v>1</v></c></row>'), "malformed", "no cell")
    yield "row-beyond.xlsx", Broken(workbook('<row r="9999999"><c r="A9999999"><v>1</v></c></row>'), "malformed", "row")
    yield "text-missing.xlsx", Broken(workbook('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'), "malformed", "text 7")
    yield "laughs.xlsx", Broken(workbook("", cells=_LAUGHS), "malformed", "document type")
    yield "outside.xlsx", Broken(workbook("", book=_OUTSIDE), "malformed", "document type")
    yield "not-xml.xlsx", Broken(workbook("", cells=b"\xff\xfe\x00nothing"), "malformed")
    yield "no-workbook.xlsx", Broken(archive({"a.txt": b"x"}), "malformed", "no workbook")
    yield "bomb.xlsx", Broken(workbook("", texts=_zeros(40 << 20)), ("expands", "malformed"))
    yield (
        "sparse.xlsx",
        Broken(
            workbook("".join(_cell(f"{'A' if row % 2 else 'XFD'}{row}") for row in range(1, 6000))),
            "too_large",
            "characters",
        ),
    )
    yield (
        "encrypted.xlsx",
        Broken(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le") + bytes(500),
            "encrypted",
        ),
    )
    yield "old.xls", Broken(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), "unsupported", "old office")
    yield "hidden.xlsx", Broken(workbook(_cell("A1"), state=' state="veryHidden"'), "read", "hidden")
    yield "workbook.docx", Broken(good, "read", "its name says docx")
    yield "inside-out.xlsx", Broken(_flipped(good, 3), ("malformed", "read", "unsupported", "expands", "encrypted"))


def _archives() -> Iterator[tuple[str, Broken]]:
    yield "zip-bomb.zip", Broken(archive({f"{one}.txt": b"\0" * (1 << 20) for one in range(20)}), "unsupported", "zip")
    yield "bomb.docx", Broken(archive({"word/document.xml": b" " * (40 << 20)}), "expands")
    yield "laughs.docx", Broken(archive({"word/document.xml": _LAUGHS}), "malformed", "document type")
    yield "empty.docx", Broken(archive({"word/document.xml": b""}), "malformed")
    yield "truncated.docx", Broken(word()[:-60], "malformed")
    yield "no-slides.pptx", Broken(archive({"ppt/presentation.xml": b"<p/>"}), "malformed")
    yield "text.gz", Broken(b"\x1f\x8b\x08" + bytes(50), "unsupported", "gzip")


def _pictures() -> Iterator[tuple[str, Broken]]:
    yield "huge.png", Broken(png(50_000, 50_000, rows=b""), "too_large", "pixels")
    yield "long.png", Broken(png(1, 2_000_000_000, rows=b""), "too_large", "pixels")
    yield "truncated.png", Broken(png(64, 64)[:60], "malformed")
    yield "short-data.png", Broken(png(64, 64, rows=b"\0"), "malformed")
    yield "no-size.png", Broken(png(0, 0, rows=b""), "malformed")
    yield "truncated.jpg", Broken(jpeg()[:400], "malformed")
    yield "picture.txt", Broken(png(), "read", "its name says text")
    yield "endless.gif", Broken(b"GIF89a\xff\xff\xff\xff\x00\x00\x00", ("too_large", "malformed"))


def _pdfs() -> Iterator[tuple[str, Broken]]:
    yield "encrypted.pdf", Broken(pdf(encrypted=True), "encrypted")
    yield "truncated.pdf", Broken(pdf()[:40], "malformed")
    yield "header-only.pdf", Broken(b"%PDF-1.7\n", "malformed")
    yield "pdf-as-text.txt", Broken(pdf(), "read", "its name says text", "Hello")
    yield (
        "no-pages.pdf",
        Broken(pdf().replace(b"/Kids [3 0 R] /Count 1", b"/Kids [2 0 R] /Count 9"), ("malformed", "read")),
    )


GROUPS: tuple[Callable[[], Iterator[tuple[str, Broken]]], ...] = (
    _texts, _pages, _tables, _workbooks, _archives, _pictures, _pdfs
)  # fmt: skip


def corpus() -> dict[str, Broken]:
    """All of them."""
    return {name: broken for group in GROUPS for name, broken in group()}


def _flipped(data: bytes, count: int) -> bytes:
    """Some bytes changed, always the same ones, the first and last few left alone."""
    chosen, changed = random.Random(11), bytearray(data)
    for _ in range(count):
        changed[chosen.randrange(8, len(data) - 8)] ^= 0xFF
    return bytes(changed)


def _zeros(size: int) -> bytes:
    return f'<sst xmlns="{XLSX}">'.encode() + b"<si><t>" + b"0" * size + b"</t></si></sst>"
