"""A line of figures drawn with characters, as wide as the terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata_git.errors import printable
from strata_git.index.measures import shown


@dataclass(frozen=True, slots=True)
class Pen:
    """The characters a plot is drawn with."""

    point: str
    link: str
    axis: str
    corner: str
    floor: str


UNICODE = Pen("●", "·", "┤", "└", "─")
ASCII = Pen("*", ".", "|", "+", "-")
_LEAST = 20
"""Columns below which nothing can be drawn."""


def plot(
    values: Sequence[float], labels: Sequence[str], *, width: int = 80, height: int = 8, pen: Pen = UNICODE
) -> list[str]:
    """Lines that draw `values` from left to right, at most `width` characters wide.

    The axis names the highest and the lowest value, below stand the first and the last label. More values than columns
    share columns: a column then shows its last one. Nothing is drawn for fewer than two values.
    """
    if len(values) < 2:
        return []
    low, high = min(values), max(values)
    ticks = [_tick(low, high, row, height) for row in range(height)]
    margin = max(len(tick) for tick in ticks)
    room = max(width - margin - 2, _LEAST)
    columns = _columns(values, room)
    rows = [_row(value, low, high, height) for value in columns.values()]
    canvas = [[" "] * room for _ in range(height)]
    places = list(columns)
    for (left, start), (right, end) in zip(
        zip(places, rows, strict=True), list(zip(places, rows, strict=True))[1:], strict=False
    ):
        for x in range(left + 1, right):
            canvas[round(start + (end - start) * (x - left) / (right - left))][x] = pen.link
    for x, y in zip(places, rows, strict=True):
        canvas[y][x] = pen.point
    drawn = [f"{tick:>{margin}} {pen.axis}{''.join(line).rstrip()}" for tick, line in zip(ticks, canvas, strict=True)]
    drawn.append(f"{'':>{margin}} {pen.corner}{pen.floor * room}")
    return [*drawn, _below(labels, margin + 2, room)]


def _columns(values: Sequence[float], room: int) -> dict[int, float]:
    """Column -> value, spread evenly."""
    last = len(values) - 1
    gap = min(room - 1, last * 12)
    return {round(place * gap / last): value for place, value in enumerate(values)}


def _row(value: float, low: float, high: float, height: int) -> int:
    """The line of a value, 0 on top; the middle where all values are equal."""
    if high == low:
        return height // 2
    return min(height - 1, max(0, round((high - value) / (high - low) * (height - 1))))


def _tick(low: float, high: float, row: int, height: int) -> str:
    if high == low:
        return shown(high) if row == height // 2 else ""
    return {0: shown(high), height // 2: "", height - 1: shown(low)}.get(row, "")


def _below(labels: Sequence[str], margin: int, room: int) -> str:
    """The first and the last label under their points."""
    first, last = (printable(labels[place])[: room // 2 - 1] for place in (0, -1))
    gap = min(room - 1, (len(labels) - 1) * 12)
    start = max(gap + 1 - len(last), len(first) + 1)
    return " " * margin + first + " " * (start - len(first)) + last
