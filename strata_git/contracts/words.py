"""The words that contracts are made of: what a text, a name, a time or a path must look like. Standard library only.

Every check takes the value and returns it, or raises ValueError with the rest of a sentence about its key. pydantic
calls them through `contracts/base.py`; `contracts/shape.py` calls the same ones where pydantic need not be loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache

from strata_git.contracts import layout
from strata_git.errors import printable

Check = Callable[[str], str]

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
CONTENT_HASH = re.compile(f"sha256:{SHA256.pattern}")
OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def text(value: str) -> str:
    """Any text but none at all."""
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def label(value: str) -> str:
    """One printable line."""
    if not value.strip() or printable(value) != value or len(value) > 200:
        raise ValueError("must be one line of 1 to 200 printable characters")
    return value


def moment(value: str) -> str:
    """A time in UTC: `2026-11-21T09:30:00Z`, with or without a fraction."""
    from datetime import datetime

    try:
        datetime.fromisoformat(value if MOMENT.fullmatch(value) else "")
    except ValueError:
        raise ValueError("must be a time in UTC such as 2026-11-21T09:30:00Z") from None
    return value


def day(value: str) -> str:
    """A day (`2026-11-21`), or a moment."""
    if not DAY.fullmatch(value):
        return moment(value)
    from datetime import date

    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("is no day of the calendar") from None
    return value


def path_inside(value: str) -> str:
    """A relative path in normal form: no empty, `.` or `..` part, no backslash, nothing unprintable."""
    parts = value.split("/")
    if value.startswith("/") or ".." in parts:
        raise ValueError("must be a path inside the directory of this file")
    if "" in parts or "." in parts or "\\" in value or printable(value) != value:
        raise ValueError("must be a plain path such as data/train.csv")
    return value


def path_or_all(value: str) -> str:
    """The same, or `.` for all of a directory."""
    return value if value == "." else path_inside(value)


def number(value: object) -> int | float:
    """A finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("must be a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("must be a finite number")
    return value


def matching(pattern: re.Pattern[str], what: str) -> Check:
    """A check that the whole value matches; `what` says what it must be."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return check


@cache
def reference(*kinds: str) -> Check:
    """Checks a full reference to an exact version of one of `kinds` (any, when none is given)."""

    def check(value: str) -> str:
        kind = kinds[0] if len(kinds) == 1 else None
        try:
            parsed = layout.parse_reference(value, kind=kind)
        except ValueError as error:
            raise ValueError(f"is no reference: {error}") from None
        if parsed.kind is None or (kinds and parsed.kind not in kinds):
            raise ValueError(f"must refer to a {' or '.join(kinds) or 'kind (datasets/, models/, ...)'}")
        if parsed.version is None and parsed.kind not in ("run", "service"):
            raise ValueError("must name a version, such as @v1")
        return value

    return check


WHAT = {
    "name": "lower-case letters and digits, joined by single - or _",
    "version": "a version such as v1",
    "run id": "a run such as run-2026-11-21-001",
    "content hash": "sha256: and 64 hex digits",
    "sha256": "64 lower-case hex digits",
    "object id": "a full Git object id",
}
PATTERNS = {
    "name": layout.NAME, "version": layout.VERSION, "run id": layout.RUN_ID, "content hash": CONTENT_HASH,
    "sha256": SHA256, "object id": OBJECT_ID,
}  # fmt: skip
CHECKS: dict[str, Check] = {
    "text": text, "label": label, "moment": moment, "day": day, "path inside": path_inside, "path or all": path_or_all,
    **{word: matching(pattern, WHAT[word]) for word, pattern in PATTERNS.items()},
}  # fmt: skip
"""Every check of a text by the word for it."""
