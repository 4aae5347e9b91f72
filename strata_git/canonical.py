"""Canonical JSON (RFC 8785): one value, one sequence of bytes. What is hashed and signed is written so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping


def canonical_json(value: object) -> bytes:
    """`value` as the one sequence of bytes that is hashed and signed: the canonical form of RFC 8785.

    Whole numbers keep all their digits, also beyond 2^53, where that RFC knows no others than floats. Raises
    ValueError for NaN, infinities and half a surrogate pair, TypeError for keys that are no text.
    """
    if _is_simple(value):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    else:
        text = _canonical(value)
    return text.encode()


def _is_simple(value: object) -> bool:
    """Whether Python's own encoder writes the canonical form: no floats, and keys whose order is the same for all."""
    open_: list[object] = [value]
    while open_:
        item = open_.pop()
        if isinstance(item, float):
            return False
        if isinstance(item, Mapping):
            if not all(isinstance(key, str) and key.isascii() for key in item):
                return False
            open_.extend(item.values())
        elif isinstance(item, (list, tuple)):
            open_.extend(item)
    return True


def _canonical(value: object) -> str:
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"a key must be text, not {type(wrong[0]).__name__}")
        keys = sorted(value, key=lambda key: str(key).encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_canonical(key)}:{_canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, float) and math.isfinite(value):
        return _float_text(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _float_text(value: float) -> str:
    """A finite float as ECMAScript's Number::toString writes it (ECMA-262 6.1.6.1.20)."""
    if value == 0:
        return "0"
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(power or 0)  # where the point stands, counted from the first digit
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return "-" + text if value < 0 else text
