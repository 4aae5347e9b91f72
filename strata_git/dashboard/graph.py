"""The lineage as a graph to be walked and drawn: what lies around an artifact, and where each thing is placed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from strata_git.index.lineage import Edge, edges_of
from strata_git.index.records import Index

AROUND = 40
"""Most ancestors, and most descendants, that one artifact's picture shows."""
WHOLE = 120
"""Most nodes in the picture of everything."""
WIDTH, HEIGHT, ACROSS, DOWN, BEND = 176, 44, 64, 16, 14
"""Of a node, of the room between columns and rows, and of the room that a passing line takes."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Every edge by its ends, but for those to stage events: a model's stage is told on the model."""

    edges: tuple[Edge, ...]
    into: Mapping[str, tuple[Edge, ...]]
    out: Mapping[str, tuple[Edge, ...]]

    def around(self, start: str, limit: int = AROUND) -> tuple[frozenset[str], bool]:
        """What `start` came from and what came of it, nearest first; whether something had to be left out."""
        before, more = self._reach(start, self.into, limit)
        after, also = self._reach(start, self.out, limit)
        return before | after | {start}, more or also

    def between(self, nodes: Collection[str]) -> tuple[Edge, ...]:
        """The edges whose two ends are among `nodes`."""
        # by what goes in: that is never much, and one dataset may have gone into thousands of runs
        return tuple(
            edge
            for node in sorted(nodes)
            for edge in self.into.get(node, ())
            if edge.target == node and edge.source in nodes
        )

    def _reach(self, start: str, edges: Mapping[str, tuple[Edge, ...]], limit: int) -> tuple[frozenset[str], bool]:
        seen: dict[str, None] = {}
        wave = [start]
        while wave:
            following: list[str] = []
            for node in wave:
                for edge in edges.get(node, ()):
                    there = edge.target if edge.source == node else edge.source
                    if there in seen or there == start:
                        continue
                    if len(seen) == limit:
                        return frozenset(seen), True
                    seen[there] = None
                    following.append(there)
            wave = following
        return frozenset(seen), False


def graph_of(index: Index) -> Graph:
    """The index's edges, ready to be walked."""
    return joined([edge for edge in edges_of(index) if edge.relation != "stage"])


def joined(edges: Iterable[Edge], mutual: str = "") -> Graph:
    """The graph of these edges. Those of the relation `mutual` are walked from either end, whichever way one goes."""
    edges = tuple(edges)
    into: dict[str, list[Edge]] = defaultdict(list)
    out: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        into[edge.target].append(edge)
        out[edge.source].append(edge)
        if edge.relation == mutual:
            into[edge.source].append(edge)
            out[edge.target].append(edge)
    return Graph(edges, _frozen(into), _frozen(out))


def everything(graph: Graph, wanted: Sequence[str]) -> tuple[frozenset[str], bool]:
    """Nodes for the picture of the whole: what went into `wanted` and came of it, in that order, as long as there is
    room. Where nothing is wanted, all that has an edge."""
    nodes = {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges}
    chosen: set[str] = set()
    for name in wanted or sorted(nodes):
        around, cut_off = graph.around(name, WHOLE)
        if cut_off or len(chosen | around) > WHOLE:
            around = graph.around(name, 12)[0]
        if len(chosen | around) > WHOLE:
            break
        if name in nodes:
            chosen |= around
    return frozenset(chosen), len(chosen) < len(nodes)


@dataclass(frozen=True, slots=True)
class Place:
    """Upper left corner of a node in the drawing's own units."""

    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as the points that it passes, from the source's right side to the target's left side."""

    edge: Edge
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where everything stands; `width` and `height` hold all of it."""

    places: Mapping[str, Place]
    lines: tuple[Line, ...]
    width: int
    height: int


@dataclass(slots=True)
class _Plan:
    """Columns of nodes and of bends (where a long edge passes a column), and who is joined to whom."""

    columns: list[list[str]]
    near: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    ways: dict[Edge, list[str]] = field(default_factory=dict)
    bends: set[str] = field(default_factory=set)


def draw(nodes: Collection[str], edges: Sequence[Edge]) -> Drawing:
    """Columns from cause to result; within a column everything near what it belongs to. Same input, same drawing."""
    levels = _levels(sorted(nodes), edges)
    plan = _planned(levels, edges)
    _untangle(plan)
    places = _placed(plan)
    lines = tuple(Line(edge, _points(places, way)) for edge, way in plan.ways.items())
    shown = {name: place for name, place in places.items() if name not in plan.bends}
    width = max((place.x + WIDTH for place in shown.values()), default=0)
    height = max((place.y + (BEND if name in plan.bends else HEIGHT) for name, place in places.items()), default=0)
    return Drawing(shown, lines, width, height)


def _levels(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The column of each node: one behind the furthest of its causes. Edges that close a circle do not count."""
    causes: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        causes[edge.target].append(edge.source)
    levels: dict[str, int] = {}
    for start in nodes:
        stack, open_ = [(start, iter(causes[start]))], {start}
        while stack:
            node, left = stack[-1]
            cause = next((c for c in left if c not in levels and c not in open_), None)
            if cause is not None and node not in levels:
                open_.add(cause)
                stack.append((cause, iter(causes[cause])))
                continue
            levels.setdefault(node, 1 + max((levels.get(c, -1) for c in causes[node]), default=-1))
            open_.discard(node)
            stack.pop()
    return levels


def _planned(levels: Mapping[str, int], edges: Sequence[Edge]) -> _Plan:
    """What only feeds later columns moves next to them; long edges get a bend in every column they pass."""
    levels = dict(levels)
    nearest: dict[str, int] = {}
    for edge in edges:
        nearest[edge.source] = min(nearest.get(edge.source, 1 << 30), levels[edge.target])
    fed = {edge.target for edge in edges}
    for node, level in nearest.items():
        if node not in fed and level > levels[node] + 1:
            levels[node] = level - 1
    plan = _Plan([[] for _ in range(1 + max(levels.values(), default=-1))])
    for node in sorted(levels):
        plan.columns[levels[node]].append(node)
    for number, edge in enumerate(edges):
        if levels[edge.target] <= levels[edge.source]:
            continue  # it closes a circle: told in the list below the picture
        way = [edge.source]
        for level in range(levels[edge.source] + 1, levels[edge.target]):
            bend = f"\0{number}\0{level}"
            plan.bends.add(bend)
            plan.columns[level].append(bend)
            way.append(bend)
        way.append(edge.target)
        plan.ways[edge] = way
        for here, there in pairwise(way):
            plan.near[here].append(there)
            plan.near[there].append(here)
    return plan


def _untangle(plan: _Plan) -> None:
    """Order each column by the middle of what its nodes are joined to, from both sides, a few times over."""
    for sweep in range(6):
        columns = plan.columns if sweep % 2 == 0 else plan.columns[::-1]
        before: dict[str, float] = {}
        for column in columns:
            at = {node: index for index, node in enumerate(column)}
            middle = {}
            for node in column:
                seen = [before[other] for other in plan.near[node] if other in before]
                middle[node] = sum(seen) / len(seen) if seen else at[node] / max(1, len(column))
            column.sort(key=lambda node, middle=middle, at=at: (middle[node], at[node]))  # type: ignore[misc]
            before.update({node: (index + 0.5) / len(column) for index, node in enumerate(column)})


def _placed(plan: _Plan) -> dict[str, Place]:
    tall = [sum((BEND if node in plan.bends else HEIGHT) + DOWN for node in column) - DOWN for column in plan.columns]
    places: dict[str, Place] = {}
    for number, column in enumerate(plan.columns):
        y = (max(tall) - tall[number]) // 2
        for node in column:
            places[node] = Place(number * (WIDTH + ACROSS), y)
            y += (BEND if node in plan.bends else HEIGHT) + DOWN
    return places


def _points(places: Mapping[str, Place], way: Sequence[str]) -> tuple[tuple[int, int], ...]:
    points = [(places[way[0]].x + WIDTH, places[way[0]].y + HEIGHT // 2)]
    for bend in way[1:-1]:
        place = places[bend]
        points += [(place.x, place.y + BEND // 2), (place.x + WIDTH, place.y + BEND // 2)]
    points.append((places[way[-1]].x, places[way[-1]].y + HEIGHT // 2))
    return tuple(points)


def _frozen(edges: Mapping[str, Iterable[Edge]]) -> dict[str, tuple[Edge, ...]]:
    return {name: tuple(found) for name, found in edges.items()}
