"""Whether a document surely keeps its contract, asked without pydantic: loading that costs more than a whole commit.

`contracts/shapes.py` is written from the pydantic models (`make man`). `fits` says yes only where pydantic would; no
means that pydantic has to be asked, who then says what is wrong. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strata_git.contracts import words

Shape = tuple[Any, ...]
"""A word for the kind of shape, and what it needs."""


def fits(shape: Shape, value: object) -> bool:
    """Whether `value` (of a loaded document) has this shape. `("never",)`, what only pydantic judges, nothing has."""
    judge = _KINDS.get(shape[0])
    return judge is not None and judge(value, *shape[1:])


def _any(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_any, value))
    if isinstance(value, dict):
        return all(_any(key) and _any(item) for key, item in value.items())
    return value is None or isinstance(value, bool) or _sound(value) or _number(value)


def _sound(value: object) -> bool:
    """A text without half of a surrogate pair, which JSON can write and pydantic refuses."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: object, word: str) -> bool:
    return _sound(value) and _passes(words.CHECKS[word], value)


def _reference(value: object, kinds: tuple[str, ...]) -> bool:
    return _sound(value) and _passes(words.reference(*kinds), value)


def _passes(check: Callable[[Any], object], value: object) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True


def _one_of(value: object, words_: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value in words_


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _whole(value: object, least: int | None = None, most: int | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _between(value, least, most)


def _number(value: Any, least: float | None = None, most: float | None = None) -> bool:
    return _passes(words.number, value) and _between(value, least, most)


def _between(value: Any, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _null_or(value: object, shape: Shape) -> bool:
    return value is None or fits(shape, value)


def _list(value: object, shape: Shape, least: int) -> bool:
    return isinstance(value, list) and len(value) >= least and all(fits(shape, item) for item in value)


def _keys(value: object, keys: Shape, values: Shape, least: int) -> bool:
    if not isinstance(value, dict) or len(value) < least:
        return False
    return all(fits(keys, key) and fits(values, item) for key, item in value.items())


def _record(value: object, known: dict[str, Shape], required: tuple[str, ...], open_: bool) -> bool:
    """A mapping with the `required` keys; others that are not `known` may be there when it is open."""
    if not isinstance(value, dict) or not all(key in value for key in required):
        return False
    return all(fits(known[key], item) if key in known else open_ and _any(key) and _any(item)
               for key, item in value.items())  # fmt: skip


_KINDS: dict[str, Callable[..., bool]] = {
    "any": _any, "text": _text, "reference": _reference, "one of": _one_of, "flag": _flag, "whole": _whole,
    "number": _number, "null or": _null_or, "list": _list, "keys": _keys, "record": _record,
}  # fmt: skip
