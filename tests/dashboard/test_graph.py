"""Where the picture of the lineage puts things."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as some

from strata_git.dashboard.graph import HEIGHT, WHOLE, WIDTH, Graph, draw, everything
from strata_git.index.lineage import Edge

pairs = some.lists(some.tuples(some.integers(0, 9), some.integers(0, 9)), max_size=30, unique=True)


def graph(found: list[tuple[int, int]]) -> Graph:
    edges = tuple(Edge(f"n{a}", f"n{b}", "input") for a, b in found if a != b)
    into = {f"n{b}": tuple(edge for edge in edges if edge.target == f"n{b}") for b in range(10)}
    out = {f"n{a}": tuple(edge for edge in edges if edge.source == f"n{a}") for a in range(10)}
    return Graph(edges, into, out)


@given(pairs)
def test_nothing_overlaps_and_all_is_inside(found: list[tuple[int, int]]) -> None:
    """Also where edges close a circle, which forged parents may."""
    it = graph(found)
    names = {edge.source for edge in it.edges} | {edge.target for edge in it.edges}
    drawing = draw(names, it.edges)
    assert drawing.places.keys() == names
    for a, b in combinations(drawing.places.values(), 2):
        assert abs(a.x - b.x) >= WIDTH or abs(a.y - b.y) >= HEIGHT
    for place in drawing.places.values():
        assert 0 <= place.x <= drawing.width - WIDTH
        assert 0 <= place.y <= drawing.height - HEIGHT
    assert drawing == draw(names, it.edges)


@given(pairs)
def test_lines_go_from_left_to_right(found: list[tuple[int, int]]) -> None:
    it = graph([(a, b) for a, b in found if a < b])
    names = {edge.source for edge in it.edges} | {edge.target for edge in it.edges}
    drawing = draw(names, it.edges)
    assert len(drawing.lines) == len(it.edges)
    for line in drawing.lines:
        assert all(before[0] < after[0] for before, after in pairwise(line.points))
        assert drawing.places[line.edge.source].x < drawing.places[line.edge.target].x


@given(pairs, some.integers(0, 9))
def test_what_lies_around_is_reached_both_ways(found: list[tuple[int, int]], start: int) -> None:
    it = graph(found)
    around, cut_off = it.around(f"n{start}")
    assert not cut_off
    assert f"n{start}" in around
    for edge in it.edges:
        if edge.target == f"n{start}" or edge.source == f"n{start}":
            assert {edge.source, edge.target} <= around


def test_large_graphs_are_cut() -> None:
    edges = tuple(Edge("data", f"run-{number:04d}", "input") for number in range(5000))
    it = Graph(edges, {edge.target: (edge,) for edge in edges}, {"data": edges})
    assert it.around("data")[1]
    nodes, cut_off = everything(it, [])
    assert cut_off
    assert 1 < len(nodes) <= WHOLE


def test_a_long_line_is_no_recursion() -> None:
    edges = tuple(Edge(f"v{number:05d}", f"v{number + 1:05d}", "parent") for number in range(3000))
    drawing = draw({edge.source for edge in edges} | {edge.target for edge in edges}, edges)
    assert drawing.width > 3000 * WIDTH
