"""Reading plain data (what YAML and JSON give) whose shape nobody has vouched for yet.

Rules keep talking where the contract already complained, so each takes what has the right shape and leaves the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from sys import float_info

LARGEST = float_info.max


def mapping(value: object) -> Mapping[str, object]:
    """`value` when it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[object]:
    """`value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """`value` when it is a string."""
    return value if isinstance(value, str) else None


def number(value: object) -> float | int | None:
    """`value` when it is a number a float can hold (a truth value is none, nor are NaN and infinity)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) <= LARGEST else None


def dig(value: object, *keys: str) -> object:
    """The value below `keys`, one mapping after the other; None where the way ends."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def numbers(value: object) -> Iterator[tuple[str, float | int]]:
    """The entries of a mapping that are finite numbers."""
    for name, given in mapping(value).items():
        figure = number(given)
        if figure is not None:
            yield name, figure
