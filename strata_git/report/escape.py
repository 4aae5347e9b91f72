"""Text of strangers inside Markdown: shown as it is, whatever it looks like. Pure.

A comment on a forge is read by more than a Markdown parser: people and teams are called by `@name`, issues are linked
by `#7`, words between colons become pictures, and some of it after entities were decoded. So markup is written as
entities, and what calls or links has a zero-width space behind it; names that are only names stand in code, where none
of this happens.
"""

from __future__ import annotations

import re

from strata_git.errors import printable

_ENTITIES = re.compile(r"[&<>|`*_~\[\]\\^\"']|^[-+=/>0-9]")
_CALLING = re.compile(r"[@#!$%~]|:(?=[\w+/-])|(?<=[Ww]{3})\.|(?<=\bGH)-|(?<=\bgh)-")
_BREAK = "&#8203;"
_CODE = re.compile(r"[^`|\\\s]+(?: [^`|\\\s]+)*")
LONGEST = 300


def prose(text: str, limit: int = LONGEST) -> str:
    """`text` on one line as nothing but text; what is longer than `limit` characters ends in three points."""
    shown = printable(text)
    shown = shown if len(shown) <= limit else f"{shown[:limit]}..."
    marked = _CALLING.sub(lambda match: f"{match.group()}\x00", shown)
    return _ENTITIES.sub(lambda match: f"&#{ord(match.group())};", marked).replace("\x00", _BREAK)


def code(text: str, limit: int = LONGEST) -> str:
    """A name in code; as prose where a backtick, a bar or a backslash would end the code or the table's cell."""
    shown = printable(text)
    if len(shown) > limit or not _CODE.fullmatch(shown):
        return prose(text, limit)
    return f"`{shown}`"
