"""What a document is: by its content, and only where that is silent by its name.

Magic numbers are those of the formats' own specifications (PNG, JFIF, ISO 32000, ECMA-376, Apache Parquet, MS-CFB).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from strata_git.pipeline.documents.encoding import marked

HEAD = 8192
"""How many bytes from the beginning are looked at."""

MEDIA_TYPES = {
    "text": "text/plain", "markdown": "text/markdown", "html": "text/html", "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "parquet": "application/vnd.apache.parquet", "pdf": "application/pdf", "png": "image/png", "jpeg": "image/jpeg",
    "gif": "image/gif", "bmp": "image/bmp", "tiff": "image/tiff", "webp": "image/webp",
}  # fmt: skip
"""The kinds that are read, with the media type of each."""
IMAGES = frozenset({"png", "jpeg", "gif", "bmp", "tiff", "webp"})

_ENDINGS = {
    ".txt": "text", ".text": "text", ".log": "text", ".rst": "text", ".md": "markdown", ".markdown": "markdown",
    ".mdown": "markdown", ".html": "html", ".htm": "html", ".xhtml": "html", ".csv": "csv", ".tsv": "csv",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".parquet": "parquet", ".pq": "parquet", ".docx": "docx", ".pptx": "pptx",
    ".pdf": "pdf", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".bmp": "bmp", ".tif": "tiff",
    ".tiff": "tiff", ".webp": "webp",
}  # fmt: skip
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"PAR1", "parquet"),
)  # fmt: skip
_FOREIGN = (
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"\x7fELF", "elf"), (b"MZ", "windows-program"),
    (b"SQLite format 3\0", "sqlite"), (b"{\\rtf", "rtf"), (b"%!PS", "postscript"), (b"PARE", "encrypted-parquet"),
    (b"wOFF", "font"), (b"wOF2", "font"), (b"\0asm", "webassembly"), (b"ID3", "mp3"), (b"OggS", "ogg"),
    (b"\x93NUMPY", "numpy"), (b"\x89HDF\r\n\x1a\n", "hdf5"), (b"ARROW1", "arrow"),
)  # fmt: skip
_OFFICE = {
    "xlsx": {"xl/workbook.xml", "xl/workbook.bin"}, "docx": {"word/document.xml"}, "pptx": {"ppt/presentation.xml"}
}  # fmt: skip
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|table|div|p|h[1-6]|article|ul|ol)\b",
    re.I | re.S,
)
_TEXTUAL = frozenset({"text", "markdown", "html", "csv"})
_PDF_WINDOW = 1024  # readers look for the header there (ISO 32000-2, annex I)


@dataclass(frozen=True, slots=True)
class Detected:
    """`kind` is a key of `MEDIA_TYPES`, or what it is instead when it is not read (`known` False)."""

    kind: str
    known: bool = True
    notes: tuple[str, ...] = ()


def detect(name: str, head: bytes, members: Callable[[], tuple[str, ...]] = tuple) -> Detected:
    """What the document called `name` is, whose first bytes are `head`.

    `members` lists a zip archive's names; it is asked only when the bytes are such an archive's.
    """
    claimed = _ENDINGS.get(PurePosixPath(name.lower()).suffix, "")
    kind, known = _by_content(head, claimed, members)
    if known and claimed and kind != claimed and not {kind, claimed} <= _TEXTUAL - {"html"}:
        return Detected(kind, known, (f"its name says {claimed}, its content is {kind}",))
    return Detected(kind, known)


def _by_content(head: bytes, claimed: str, members: Callable[[], tuple[str, ...]]) -> tuple[str, bool]:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind, True
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(members(), claimed)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp", True
    if head.startswith(b"BM") and len(head) > 14 and head[6:10] == b"\0\0\0\0":
        return "bmp", True
    if b"%PDF-" in head[:_PDF_WINDOW]:
        return "pdf", True
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "ole", False
    for magic, kind in _FOREIGN:
        if head.startswith(magic) and (kind != "windows-program" or b"\0" in head):
            return kind, False
    return _text(head, claimed)


def _archive(names: tuple[str, ...], claimed: str) -> tuple[str, bool]:
    inside = {name.lower() for name in names}
    for kind, marks in _OFFICE.items():
        if inside & marks:
            return kind, True
    if claimed in ("xlsx", "docx", "pptx"):
        return claimed, True  # its loader says what is missing
    return ("opendocument" if "content.xml" in inside else "zip"), False


def _text(head: bytes, claimed: str) -> tuple[str, bool]:
    encoding = marked(head)
    sample = head.decode(encoding or "utf-8", "replace").lstrip("\ufeff")
    if not encoding and b"\0" in head and not (claimed == "html" or _HTML.match(sample)):
        return ("binary", False) if claimed in _TEXTUAL or not claimed else (claimed, True)
    if claimed in MEDIA_TYPES and claimed not in _TEXTUAL:
        return (claimed, True) if not _looks_written(sample) else ("html" if _HTML.match(sample) else "text", True)
    if claimed == "markdown":
        return claimed, True  # markdown may begin with a tag
    if _HTML.match(sample):
        return "html", True
    return (claimed if claimed == "csv" else "text"), True


def _looks_written(sample: str) -> bool:
    """Whether it reads like text: hardly a character that nobody types."""
    if not sample:
        return False
    odd = sum(1 for sign in sample if sign == "\ufffd" or (sign < " " and sign not in "\t\n\r\f"))
    return odd <= 0.02 * len(sample)
