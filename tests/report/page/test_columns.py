"""Tall drawings in columns."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from dovetail.report.layout import Layout, lay_out
from dovetail.report.page.columns import in_columns

Edge = tuple[int, int]
SIZE = (100.0, 40.0)


def cut(boxes: int, edges: list[Edge]) -> tuple[Layout, Layout]:
    sizes = [SIZE] * boxes
    before = lay_out(sizes, edges)
    return before, in_columns(before, sizes, edges, 1.7)


def chain(length: int) -> list[Edge]:
    return list(pairwise(range(length)))


def apart(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return abs(first[0] - second[0]) >= SIZE[0] or abs(first[1] - second[1]) >= SIZE[1]


def check(layout: Layout, edges: list[Edge]) -> None:
    """Boxes lie apart and inside; every edge begins at its source's bottom and ends at its destination's top."""
    assert all(apart(first, second) for first, second in combinations(layout.positions, 2))
    for x, y in layout.positions:
        assert 0 <= x <= layout.width - SIZE[0] + 1e-6
        assert 0 <= y <= layout.height - SIZE[1] + 1e-6
    for (source, destination), route in zip(edges, layout.routes, strict=True):
        (sx, sy), (dx, dy) = layout.positions[source], layout.positions[destination]
        start, end = route.points[0], (route.arrival or route.points)[-1]
        assert sx <= start[0] <= sx + SIZE[0]
        assert abs(start[1] - (sy + SIZE[1])) < 1e-6
        assert dx <= end[0] <= dx + SIZE[0]
        assert abs(end[1] - dy) < 1e-6


def test_a_long_chain_fills_a_screen() -> None:
    before, after = cut(100, chain(100))
    assert before.height > 20 * before.width
    assert 1.0 < after.width / after.height < 2.6
    check(after, chain(100))
    assert not any(route.is_stub for route in after.routes)


def test_columns_are_read_from_the_left_and_each_from_the_top() -> None:
    _, after = cut(60, chain(60))
    assert after.positions == sorted(after.positions)


def test_what_is_wide_stays_as_it_is() -> None:
    edges = [(0, node) for node in range(1, 12)]
    before, after = cut(12, edges)
    assert after is before


def test_an_edge_over_several_columns_becomes_two_tails() -> None:
    edges = [*chain(120), (0, 7), (0, 119)]
    _, after = cut(120, edges)
    check(after, edges)
    assert after.routes[-1].is_stub
    assert not after.routes[-2].is_stub


@given(st.integers(2, 60), st.data())
def test_any_graph_keeps_its_boxes_apart_and_its_edges_whole(boxes: int, data: st.DataObject) -> None:
    extra = data.draw(st.lists(st.tuples(st.integers(0, boxes - 1), st.integers(1, 12)), max_size=30))
    edges = list(dict.fromkeys([*chain(boxes), *((a, a + far) for a, far in extra if a + far < boxes)]))
    _, after = cut(boxes, edges)
    check(after, edges)
