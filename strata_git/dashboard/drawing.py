"""The lineage as SVG: links that the keyboard reaches, colours from the style sheet. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from strata_git.dashboard.addresses import link
from strata_git.dashboard.graph import ACROSS, HEIGHT, WIDTH, Drawing, Line, draw
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.parts import badge, reference
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import brief, cut
from strata_git.index.lineage import Edge

MARGIN = 12
_LETTERS = 22


def picture(snapshot: Snapshot, path: str, nodes: Collection[str], here: str = "", *, cut_off: bool = False) -> Element:
    """The graph of `nodes`, drawn for the page at `path`; `here` is the one that the page is about."""
    edges = snapshot.graph.between(nodes)
    drawing = draw(nodes, edges)
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    image = e(
        "svg",
        [_line(line) for line in drawing.lines],
        [_node(snapshot, path, name, drawing, name == here) for name in _in_reading_order(drawing)],
        viewBox=f"{-MARGIN} {-MARGIN} {width} {height}", width=width, height=height, role="group",
        aria_label="Lineage, from cause on the left to result on the right", class_="lineage",
    )  # fmt: skip
    more = e("p", "There is more than is drawn here.", class_="quiet") if cut_off else None
    return e(
        "figure",
        e("div", image, class_="canvas", tabindex="0", role="group", aria_label="Lineage picture", data_canvas=True),
        more,
        _legend({kind for name in nodes if (kind := snapshot.kind(name))}),
        _told(snapshot, path, edges),
        class_="graph",
    )


def _in_reading_order(drawing: Drawing) -> list[str]:
    return sorted(drawing.places, key=lambda name: (drawing.places[name].x, drawing.places[name].y))


def _node(snapshot: Snapshot, path: str, name: str, drawing: Drawing, here: bool) -> Element:
    place = drawing.places[name]
    target, kind = snapshot.address(name), snapshot.kind(name)
    record = snapshot.records.get(name)
    below = (record.stages[0] if record.stages else record.status) if record else ""
    if kind == "commit":
        below = cut(subject, _LETTERS + 4) if (subject := _subject(snapshot, name)) else "code"
    if target is None and kind != "commit":
        below = "not here"
    below = " · ".join(part for part in (snapshot.whose(name), below) if part)
    state = " here" if here else "" if target or kind == "commit" else " missing"
    shape = [
        e("title", _title(snapshot, name)),
        e("rect", x=place.x, y=place.y, width=WIDTH, height=HEIGHT, rx="7"),
        e("rect", x=place.x, y=place.y, width="4", height=HEIGHT, rx="2", class_="edge"),
        e("text", _name(name, kind), x=place.x + 14, y=place.y + (19 if below else 27), class_="name"),
        e("text", cut(below, _LETTERS + 4), x=place.x + 14, y=place.y + 34, class_="below") if below else None,
    ]
    class_ = f"node kind-{kind}{state}"
    if target is None:
        return e("g", shape, class_=class_)
    return e("a", shape, href=link(path, target), class_=class_, aria_current="true" if here else None)


def _name(name: str, kind: str) -> str:
    plain = name.rpartition(":")[2]
    told = brief(name) if kind == "commit" else plain.partition("/")[2] or plain
    return cut(told, _LETTERS)


def _title(snapshot: Snapshot, name: str) -> str:
    subject = _subject(snapshot, name)
    record = snapshot.records.get(name)
    return (
        f"{name}: {subject}" if subject else f"{name}: {record.description}" if record and record.description else name
    )


def _subject(snapshot: Snapshot, name: str) -> str:
    commit = snapshot.index.commits.get(name)
    return commit.subject if commit else ""


def _line(line: Line) -> Element:
    bad = " bad" if line.edge.matches is False else ""
    return e("path", d=_curve(line.points), class_=f"line {line.edge.relation.replace(' ', '-')}{bad}")


def _curve(points: Sequence[tuple[int, int]]) -> str:
    (x, y), *rest = points
    steps = [f"M{x} {y}"]
    for nx, ny in rest:
        half = (nx - x) // 2 if nx - x <= ACROSS else 0
        steps.append(f"C{x + half} {y} {nx - half} {ny} {nx} {ny}" if half else f"L{nx} {ny}")
        x, y = nx, ny
    return "".join(steps)


def _legend(kinds: Collection[str]) -> Element:
    words = {
        "dataset": "dataset",
        "prompt": "prompt",
        "commit": "code",
        "run": "run",
        "model": "model",
        "service": "service",
    }
    shown = [
        e("li", e("span", class_=f"swatch kind-{kind}", aria_hidden="true"), words[kind])
        for kind in words
        if kind in kinds
    ]
    return e("ul", shown, class_="legend", aria_label="Colours")


def _told(snapshot: Snapshot, path: str, edges: Sequence[Edge]) -> Element | None:
    """The same in words, for whoever does not see the picture."""
    if not edges:
        return None
    rows: list[Node] = []
    for edge in sorted(edges, key=lambda edge: (edge.target, edge.relation, edge.source)):
        source = _mention(snapshot, path, edge.source)
        doubt = e("span", " ", badge("not what was recorded", "bad")) if edge.matches is False else None
        rows.append(e("li", source, f" → {edge.relation} → ", _mention(snapshot, path, edge.target), doubt))
    return e("details", e("summary", "The same in words"), e("ul", rows, class_="plain"))


def _mention(snapshot: Snapshot, path: str, name: str) -> Node:
    if snapshot.kind(name) != "commit":
        return reference(snapshot, path, name)
    subject = _subject(snapshot, name)
    return e("span", "code ", e("code", brief(name)), f" {subject}" if subject else None)
