"""Bytes to text: a byte-order mark first, then what the bytes themselves show, then UTF-8, then Windows-1252."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_MARKS = (
    # the longer mark first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_DECLARED = re.compile(
    rb"""(?:<meta[^>]{0,200}?charset|<\?xml[^>]{0,100}?encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.I
)
_SAMPLE = 4096


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, the encoding it had, and a note when something had to be guessed or replaced."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def marked(head: bytes) -> str:
    """The encoding that a byte-order mark, or the zeros of UTF-16 without one, shows; empty when neither does."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    sample = head[:_SAMPLE]
    sample = sample[: len(sample) // 2 * 2]
    even, odd, half = sample[::2].count(0), sample[1::2].count(0), len(sample) // 2
    if half >= 2 and odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if half >= 2 and even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return ""


def decoded(data: bytes, *, declared: bool = False) -> Decoded:
    """The text that the bytes hold. Never raises: what no encoding explains becomes U+FFFD, and is noted.

    `declared`: an encoding that an HTML or XML head declares counts, after marks and before guesses.
    """
    found = marked(data)
    if found:
        mark = next((mark for mark, name in _MARKS if name == found and data.startswith(mark)), b"")
        return _lenient(data[len(mark) :], found)
    if declared and (said := _DECLARED.search(data[:_SAMPLE])):
        name = said[1].decode("ascii")
        try:
            codec = codecs.lookup(name)
            if codec.name not in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "rot13") and _is_text(codec):
                return _lenient(data, codec.name)
        except (LookupError, UnicodeError):
            pass
    try:
        return Decoded(data.decode("utf-8"), "utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(data, error)


def _is_text(codec: codecs.CodecInfo) -> bool:
    return bool(getattr(codec, "_is_text_encoding", True))


def _lenient(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError as error:
        text = data.decode(encoding, "replace")
        return Decoded(text, encoding, (f"not all of it is {encoding}: byte {error.start} and others are replaced",))


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> Decoded:
    """Mostly UTF-8 with damage stays UTF-8; otherwise one byte a letter, as Windows and Latin-1 write it."""
    high = sum(1 for byte in data[: 1 << 20] if byte >= 0x80) or 1
    text = data.decode("utf-8", "replace")
    lost = text[: 1 << 20].count("\ufffd")
    if lost <= 0.2 * high or any(byte in data for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)):
        return Decoded(text, "utf-8", (f"not all of it is utf-8: byte {error.start} and others are replaced",))
    return Decoded(data.decode("cp1252"), "cp1252", ("it is not utf-8; read as windows-1252",))
