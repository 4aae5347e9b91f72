"""A sweep as a picture: every trial's metric in its order, and against each parameter. Pure, and the same every time.

Drawn as SVG by hand: it needs no package, and equal sweeps give equal bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from strata_git.errors import printable
from strata_git.runs.sweeps.trial import Ended, best_of, better

_WIDE, _HIGH, _SMALL = 760, 260, 240
_LEFT, _TOP, _BELOW = 70, 34, 44
_LONGEST = 40
_NAMED = 6
"""Choices of which each is named."""
_MOST = 12
"""Parameters that get a panel of their own."""
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.t{font-weight:bold}.a{stroke:#999;fill:none}"
    ".p{fill:#4878a8;fill-opacity:.65}.f{fill:#c44}.b{fill:#e08214;stroke:#7f3b08}.l{stroke:#e08214;fill:none;stroke-width:1.5}"
)

Scale = Callable[[float], float]


def draw(ended: Sequence[Ended], sweep: Mapping[str, Any]) -> bytes:
    """An SVG with a panel of the trials in order, and one for each parameter."""
    metric, direction = str(sweep["metric"]), str(sweep["direction"])
    ranked = sorted(ended, key=lambda each: each.index)
    done = [one for one in ranked if one.status == "succeeded" and metric in one.metrics]
    best = best_of(done, metric, direction)
    paths = list(sweep["parameters"])[:_MOST]
    rows = (len(paths) + 1) // 2
    height = _TOP + _HIGH + _BELOW + rows * (_SMALL + _TOP + _BELOW)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE + 30}" height="{height}" role="img">',
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_in_order(ranked, done, best, metric, direction),
    ]
    for place, path in enumerate(paths):
        x, y = (place % 2) * (_WIDE // 2 + 10), _TOP + _HIGH + _BELOW + (place // 2) * (_SMALL + _TOP + _BELOW)
        parts += _against(path, sweep["parameters"][path], done, best, metric, (x, y))
    return ("\n".join([*parts, "</svg>"]) + "\n").encode()


def _in_order(
    ranked: Sequence[Ended], done: Sequence[Ended], best: Ended | None, metric: str, direction: str
) -> list[str]:
    last = max((one.index for one in ranked), default=0)
    across = _scale(0, last, _LEFT, _WIDE)
    up = _upward([one.metrics[metric] for one in done], _TOP, _HIGH)
    parts = _frame((0, 0), _WIDE, _HIGH, f"{metric} by trial ({direction} is better)", ("0", str(last)), done, metric)
    line, top = [], None
    for one in done:
        value = one.metrics[metric]
        top = value if top is None or better(value, top, direction) else top
        line.append(f"{across(one.index):.1f},{up(top):.1f}")
    parts.append(f'<polyline class="l" points="{" ".join(line)}"/>')
    failed = [one for one in ranked if one.status != "succeeded"]
    parts += [_point(across(one.index), _TOP + _HIGH - 4, "f", f"trial {one.index}: {one.error}") for one in failed]
    return parts + [_dot(one, across(one.index), up(one.metrics[metric]), best, metric) for one in done]


def _against(
    path: str, said: Mapping[str, Any], done: Sequence[Ended], best: Ended | None, metric: str, corner: tuple[int, int]
) -> list[str]:
    """One parameter: its values to the right, the metric upward."""
    left, top = corner
    wide = _WIDE // 2 - 10
    choices = said.get("choices")
    if choices is not None:
        names = [json.dumps(choice, sort_keys=True) for choice in choices]
        places = [names.index(json.dumps(one.values[path], sort_keys=True)) + 0.5 for one in done]
        across = _scale(0, len(names), left + _LEFT, left + wide)
        ends = ("", "")
        names = (
            []
            if len(names) > _NAMED
            else [choice if isinstance(choice, str) else json.dumps(choice) for choice in choices]
        )
    else:
        log = bool(said.get("log"))
        names = []
        places = [math.log(one.values[path]) if log else float(one.values[path]) for one in done]
        low, high = (math.log(said[end]) if log else float(said[end]) for end in ("low", "high"))
        across = _scale(low, high, left + _LEFT, left + wide)
        ends = (f"{said['low']:g}", f"{said['high']:g}" + (" (log)" if log else ""))
    up = _upward([one.metrics[metric] for one in done], top + _TOP, _SMALL)
    parts = _frame(corner, wide, _SMALL, path, ends, done, metric)
    spots = zip(done, places, strict=True)
    floor = top + _TOP + _SMALL + 18
    for at, name in enumerate(names):
        shown = _words(name, _LONGEST // len(names))
        parts.append(f'<text x="{across(at + 0.5):.1f}" y="{floor}" text-anchor="middle">{shown}</text>')
    return parts + [_dot(one, across(at), up(one.metrics[metric]), best, metric) for one, at in spots]


def _frame(
    corner: tuple[int, int], wide: int, high: int, title: str, ends: tuple[str, str], done: Sequence[Ended], metric: str
) -> list[str]:
    """Title, axes, and what their ends are."""
    left, top = corner
    floor, values = top + _TOP + high, [one.metrics[metric] for one in done]
    parts = [
        f'<text class="t" x="{left + _LEFT}" y="{top + 20}">{_words(title)}</text>',
        f'<path class="a" d="M{left + _LEFT} {top + _TOP}V{floor}H{left + wide}"/>',
        f'<text x="{left + _LEFT}" y="{floor + 18}">{_words(ends[0])}</text>',
        f'<text x="{left + wide}" y="{floor + 18}" text-anchor="end">{_words(ends[1])}</text>',
    ]
    marks = {max(values): top + _TOP + 10, min(values): floor - 4} if values else {}
    return parts + [
        f'<text x="{left + _LEFT - 6}" y="{y}" text-anchor="end">{value:.5g}</text>' for value, y in marks.items()
    ]


def _dot(one: Ended, x: float, y: float, best: Ended | None, metric: str) -> str:
    told = f"trial {one.index}: {metric} {one.metrics[metric]:.6g}; " + ", ".join(
        f"{path}={value}" for path, value in one.values.items()
    )
    return _point(x, y, "b" if best is not None and one.index == best.index else "p", told)


def _point(x: float, y: float, kind: str, told: str) -> str:
    size = 5 if kind == "b" else 3
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size}"><title>{escape(printable(told))}</title></circle>'
    )


def _upward(values: Sequence[float], top: int, high: int) -> Scale:
    return _scale(min(values, default=0.0), max(values, default=1.0), top + high - 8, top + 8)


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    """Values from low to high onto places from start to end; the middle where all are equal."""
    if not high > low:
        return lambda _: (start + end) / 2
    return lambda value: start + (value / (high - low) - low / (high - low)) * (end - start)


def _words(text: str, longest: int = _LONGEST) -> str:
    plain = printable(text)
    return escape(plain if len(plain) <= longest else plain[: longest - 1] + "…")
