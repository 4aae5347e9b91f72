"""How figures, sizes, dates and ids are written. Pure."""

from __future__ import annotations

import math

NOTHING = "\u2013"
"""What stands where there is no value."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """Bytes as people read them: `512 B`, `84.3 KiB`, `1.2 GiB`."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def whole(count: int) -> str:
    """A count with thin spaces between thousands: `12 345`."""
    return f"{count:,}".replace(",", "\u202f")


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 run`, `12 runs`."""
    return f"{whole(count)} {noun if count == 1 else plural or noun + 's'}"


def figure(value: float | int) -> str:
    """A metric at four significant digits; small and large ones with an exponent.

    >>> figure(0.97660818713), figure(12), figure(0.0000123)
    ('0.9766', '12', '1.23e-05')
    """
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < 1e6):
        return str(int(value)) if abs(value) < 1e6 else f"{value:.4g}"
    if 1e-3 <= abs(value) < 1:
        return f"{value:.4f}"
    return f"{value:.4g}"


def moment(date: str) -> str:
    """An ISO 8601 time in UTC to the minute: `2026-11-21 15:29`; anything else as it is."""
    if len(date) >= 16 and date[10:11] == "T":
        return f"{date[:10]} {date[11:16]}"
    return date


def day(date: str) -> str:
    """The day of an ISO 8601 time."""
    return date[:10]


def brief(oid: str) -> str:
    """An object id or digest, short: `3de16443c4e9`, `sha256:d629142f619f`."""
    scheme, mark, rest = oid.partition(":")
    return f"{scheme}:{rest[:12]}" if mark else oid[:12]


def cut(text: str, length: int) -> str:
    """At most `length` characters, the last one an ellipsis where some are missing."""
    return text if len(text) <= length else text[: length - 1] + "…"


def person(who: str) -> str:
    """The name of `Ada Signer <ada@example.org>`."""
    return who.partition(" <")[0] or who
