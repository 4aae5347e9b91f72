"""YAML of the plainest form, read without a YAML parser: one `key: value` or `- item` a line, in ASCII.

That is how `load.dump_yaml` and most people write metadata, and a commit need not wait until a parser is loaded for it.
What is read here is read as the parser reads it, to the line; whatever is not surely so is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Path = tuple[str | int, ...]
_LONGEST = 64 << 10
_DEEPEST = 12
_LINE = re.compile(
    r"( *)(- )?"
    r"(?:([A-Za-z_][A-Za-z0-9_-]*):(?: +|$))?"
    r"""("[^"\\\x00-\x1f\x7f]*"|'[^'\x00-\x1f\x7f]*'|\[\]|\{\}"""
    r"|(?:-(?=[0-9]))?[A-Za-z0-9_/.](?:[A-Za-z0-9_ .,;/@+=()%-]|:(?! |$))*)? *"
)
_NOTHING = re.compile(r" *(?:#[ -~]*)?")


def read_plain(text: str, typed: Callable[[str, int], object]) -> tuple[object, dict[Path, int]] | None:
    """The value of a YAML text and the 1-based line of each key and item; None where a parser has to read it.

    `typed` gives the value of a scalar without quotes, which stands on the line given.
    """
    if len(text) > _LONGEST or not text.isascii():
        return None
    reader = _Reader(typed)
    for number, line in enumerate(text.split("\n"), 1):
        if _NOTHING.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not reader.take(match, number):
            return None
    return (reader.root, reader.lines) if reader.root else None


class _Reader:
    """What was read so far: the open mappings and lists with their columns, and a key that may still get a block."""

    def __init__(self, typed: Callable[[str, int], object]) -> None:
        self.root: dict[str, object] = {}
        self.lines: dict[Path, int] = {}
        self._typed = typed
        self._open: list[tuple[int, dict[str, object] | list[object], Path]] = [(0, self.root, ())]
        self._waiting: tuple[int, str] | None = None

    def take(self, match: re.Match[str], number: int) -> bool:
        """Digest one line; False where a parser has to."""
        column, dash, key, text = len(match[1]), bool(match[2]), match[3], match[4]
        if not (key or (dash and text)):
            return False
        if self._waiting is not None:
            self._begin(column, dash)
        while self._open and (
            self._open[-1][0] > column
            or (self._open[-1][0] == column and not dash and isinstance(self._open[-1][1], list))
        ):
            self._open.pop()
        if not self._open or self._open[-1][0] != column or len(self._open) > _DEEPEST:
            return False
        self.lines.setdefault((), number)
        return self._item(column, key, text, number) if dash else self._pair(column, key, text, number)

    def _begin(self, column: int, dash: bool) -> None:
        """Open the block that a key without a value was waiting for, if this line begins one."""
        assert self._waiting is not None  # noqa: S101 - asked before
        at, key = self._waiting
        self._waiting = None
        _, mapping, path = self._open[-1]
        if column < at or (column == at and not dash):
            return
        block: dict[str, object] | list[object] = [] if dash else {}
        assert isinstance(mapping, dict)  # noqa: S101 - only keys wait
        mapping[key] = block
        self._open.append((column, block, (*path, key)))

    def _item(self, column: int, key: str | None, text: str | None, number: int) -> bool:
        _, items, path = self._open[-1]
        if not isinstance(items, list):
            return False
        place = (*path, len(items))
        self.lines[place] = number
        if key is None:
            assert text is not None  # noqa: S101 - an item without either is none of ours
            items.append(self._value(text, number))
            return True
        inner: dict[str, object] = {}
        items.append(inner)
        self._open.append((column + 2, inner, place))
        return self._pair(column + 2, key, text, number)

    def _pair(self, column: int, key: str, text: str | None, number: int) -> bool:
        _, mapping, path = self._open[-1]
        if not isinstance(mapping, dict) or key in mapping or not isinstance(self._typed(key, number), str):
            return False
        self.lines[(*path, key)] = number
        if text is None:
            mapping[key] = None
            self._waiting = (column, key)
        else:
            mapping[key] = self._value(text, number)
        return True

    def _value(self, text: str, number: int) -> object:
        if text[0] in "\"'":
            return text[1:-1]
        if text in ("[]", "{}"):
            return [] if text == "[]" else {}
        return self._typed(text.rstrip(" "), number)
