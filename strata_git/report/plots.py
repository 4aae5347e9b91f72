"""Small pictures of a metric's history: inline SVG without style or script, and bars made of characters. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from strata_git.errors import printable
from strata_git.report.values import Series

_BARS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, MARGIN = 320, 96, 8
_NARROW = 40


def sparkline(values: Sequence[float]) -> str:
    """One bar a value, at most 40 (the last ones); the middle bar where all are equal."""
    shown = [value for value in values if math.isfinite(value)][-_NARROW:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high == low:
        return _BARS[3] * len(shown)
    return "".join(_BARS[round(_part(value, low, high) * (len(_BARS) - 1))] for value in shown)


def figure(value: float) -> str:
    """A figure for people: six digits that count."""
    return f"{value:.6g}"


def line_plot(series: Series) -> str:
    """The history as an SVG element: a line, a dot with a title for each version, and the extremes in words.

    Colours come from the page's style sheet (classes `plot`, `line`, `dot`, `last`, `axis`).
    """
    points = [(version, value) for version, value in series.points if math.isfinite(value)]
    label = escape(printable(f"{series.name}: {series.metric}, {len(points)} versions"), quote=True)
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    if not points:
        return f"{head}</svg>"
    values = [value for _, value in points]
    low, high = min(values), max(values)
    places = [(_x(at, len(points)), _y(value, low, high)) for at, value in enumerate(values)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [
        f'<circle class="{"last" if at == len(points) - 1 else "dot"}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>{escape(printable(version))}: {figure(value)}</title></circle>"
        for at, ((x, y), (version, value)) in enumerate(zip(places, points, strict=True))
    ]
    words = (
        f'<text class="axis" x="2" y="10">{figure(high)}</text>'
        f'<text class="axis" x="2" y="{HEIGHT - 2}">{figure(low)}</text>'
    )
    return f'{head}<polyline class="line" points="{path}"/>{"".join(dots)}{words if low != high else ""}</svg>'


def _x(at: int, count: int) -> float:
    left, right = 56, WIDTH - MARGIN
    return right if count == 1 else left + (right - left) * at / (count - 1)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT / 2 if low == high else HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * _part(value, low, high)


def _part(value: float, low: float, high: float) -> float:
    """Where between the extremes; halved first, for the distance of two floats may be none."""
    return (value / 2 - low / 2) / (high / 2 - low / 2)
