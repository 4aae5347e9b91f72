"""Plots as SVG: many metrics of many runs, one metric over versions, stages over events. Pure.

Coordinates are numbers and every word goes in as text; colours come from the style sheet.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from strata_git.dashboard.addresses import artifact_page, link
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.moves import telling
from strata_git.dashboard.parts import leading
from strata_git.dashboard.words import cut, figure
from strata_git.index.records import ArtifactRecord, StageRecord

LINES = 200
"""Most runs that the plot of all metrics draws: the latest ones."""
AXES = 8
_LEFT, _TOP, _STEP, _TALL = 62, 34, 132, 210
_WIDE = 900
"""How wide the plot is where few axes leave room."""


def parallel(records: Sequence[ArtifactRecord], path: str, chosen: Sequence[str] = ()) -> Element | None:
    """One axis a metric, one line a run; None where there is too little to compare.

    `chosen` are references of runs that became models: their lines stand out.
    """
    measured = [record for record in records if record.metrics]
    names = leading(measured, AXES)
    if len(measured) < 2 or len(names) < 2:
        return None
    measured = sorted(measured, key=lambda r: (r.created, r.reference))[-LINES:]
    spans = {name: _span([r.metrics[name] for r in measured if name in r.metrics]) for name in names}
    step = min(220, max(_STEP, _WIDE // (len(names) - 1)))
    width = 2 * _LEFT + step * (len(names) - 1)
    axes = [_axis(name, _LEFT + step * at, spans[name]) for at, name in enumerate(names)]
    places = {name: _LEFT + step * at for at, name in enumerate(names)}
    lines = [_run(record, places, spans, path, record.reference in chosen) for record in measured]
    image = e(
        "svg", axes, lines, viewBox=f"0 0 {width} {_TOP + _TALL + 30}", width=width, height=_TOP + _TALL + 30,
        class_="parallel", role="group", aria_label="Metrics of runs, one axis a metric, one line a run",
    )  # fmt: skip
    told = f"{len(measured)} runs; each line is one, and a link to it. Heavier lines became models."
    return e(
        "figure",
        e("div", image, class_="scroll", tabindex="0", role="group", aria_label="Plot of the runs' metrics"),
        e("figcaption", told, class_="quiet"),
        class_="plot",
    )


def _axis(name: str, x: int, span: tuple[float, float]) -> Element:
    return e(
        "g",
        e("title", name),
        e("text", cut(name, 18), x=x, y="14", class_="name"),
        e("path", d=f"M{x} {_TOP}V{_TOP + _TALL}", class_="axis"),
        e("text", figure(span[1]), x=x, y=_TOP - 6, class_="tick"),
        e("text", figure(span[0]), x=x, y=_TOP + _TALL + 18, class_="tick"),
    )


def _run(
    record: ArtifactRecord, places: Mapping[str, int], spans: Mapping[str, tuple[float, float]], path: str, chosen: bool
) -> Element | None:
    points = [
        (x, _TOP + round(_TALL * (1 - _share(record.metrics[name], spans[name])), 1))
        for name, x in places.items()
        if name in record.metrics
    ]
    if not points:
        return None
    told = ", ".join(f"{name} {figure(record.metrics[name])}" for name in places if name in record.metrics)
    way = "M" + "L".join(f"{x} {y}" for x, y in points)
    return e(
        "a",
        e("title", f"{record.reference}: {told}"),
        e("path", d=way, class_="touch"),
        e("path", d=way, class_="stroke"),
        [e("circle", cx=x, cy=y, r="3") for x, y in points],
        href=link(path, artifact_page(record.artifact)), class_="run chosen" if chosen else "run",
        data_row=record.reference,
    )  # fmt: skip


def _span(values: Sequence[float | int]) -> tuple[float, float]:
    low, high = float(min(values)), float(max(values))
    if low == high:
        room = abs(low) * 0.05 or 0.5
        return max(low - room, -sys.float_info.max), min(high + room, sys.float_info.max)
    return low, high


def _share(value: float | int, span: tuple[float, float]) -> float:
    """Where in the span a value lies, 0 to 1; halved first, so that the largest floats do not overflow."""
    low, high = span[0] / 2, span[1] / 2
    return (float(value) / 2 - low) / (high - low)


def spark(values: Sequence[float | int | None]) -> Node:
    """How a metric went over versions: a small line, its last value marked."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    span = _span([value for _, value in known])
    step = 84 / (len(values) - 1)
    points = [(round(4 + step * at, 1), round(4 + 18 * (1 - _share(value, span)), 1)) for at, value in known]
    way = "M" + "L".join(f"{x} {y}" for x, y in points)
    x, y = points[-1]
    return e(
        "svg", e("path", d=way), e("circle", cx=x, cy=y, r="2.5"), viewBox="0 0 92 26", width="92", height="26",
        class_="spark", aria_hidden="true",
    )  # fmt: skip


_LANE, _COLUMN, _NAME = 30, 108, 56


def stage_lanes(versions: Sequence[str], events: Sequence[StageRecord]) -> Element | None:
    """A lane for each version, a column for each event: which stage it was in from when to when."""
    sound = sorted(telling([event for event in events if event.sound]), key=lambda event: event.date)
    lanes = [v for v in versions if any(event.model.version == v for event in sound)][-12:]
    if not lanes:
        return None
    shown = [event for event in sound if event.model.version in lanes][-24:]
    width, height = _NAME + _COLUMN * len(shown) + 8, _LANE * len(lanes) + 34
    marks: list[Node] = []
    for row, version in enumerate(lanes):
        y = row * _LANE
        marks.append(e("text", version, x="4", y=y + 19, class_="name"))
        marks += _lane([(at, event) for at, event in enumerate(shown) if event.model.version == version], len(shown), y)
    for at, event in enumerate(shown):
        marks.append(e("text", event.date[5:10], x=_NAME + _COLUMN * at + 4, y=height - 18, class_="tick"))
        marks.append(e("text", event.date[11:16], x=_NAME + _COLUMN * at + 4, y=height - 5, class_="tick"))
    image = e(
        "svg", marks, viewBox=f"0 0 {width} {height}", width=width, height=height, class_="lanes", role="img",
        aria_label="Stages of each version over the events; the list below says the same",
    )  # fmt: skip
    return e("div", image, class_="scroll", tabindex="0", role="group", aria_label="Stages over time")


def _lane(events: Sequence[tuple[int, StageRecord]], columns: int, y: int) -> list[Node]:
    nodes: list[Node] = []
    for here, (at, event) in enumerate(events):
        until = events[here + 1][0] if here + 1 < len(events) else columns
        x, width = _NAME + _COLUMN * at, _COLUMN * (until - at) - 3
        stage = event.stage
        nodes.append(e("rect", e("title", f"{event.model.version} {stage}, {event.date}"), x=x, y=y + 4, width=width,
                       height=_LANE - 8, rx="5", class_=f"stage-{stage}"))  # fmt: skip
        nodes.append(e("text", cut(stage, width // 7), x=x + 8, y=y + 19, class_="word"))
    return nodes
