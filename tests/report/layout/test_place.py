import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.layout.verifier import near, problems

from dovetail.report.layout import Layout, LayoutOptions, lay_out

Edges = list[tuple[int, int]]
OPTIONS = LayoutOptions()
BOX = (80.0, 30.0)

CHAIN = [(0, 1), (1, 2), (2, 3), (3, 4)]
DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]
FORK_JOIN = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]
RESIDUAL = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)]
TWO_PARTS = [(0, 1), (1, 2), (3, 4)]
STAR = [(0, node) for node in range(1, 12)]
TWIN = [(0, 1), (0, 1), (1, 2)]
UNEVEN = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]
SIDE_INPUT = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 4)]
INCEPTION = [(0, 1), (0, 2), (2, 3), (0, 4), (4, 5), (5, 6), (1, 7), (3, 7), (6, 7)]
TREE = [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)]


def drawn(edges: Edges, boxes: int = 0) -> Layout:
    sizes = [BOX] * max(boxes, *(end + 1 for edge in edges for end in edge))
    layout = lay_out(sizes, edges)
    assert problems(sizes, edges, layout, OPTIONS) == []
    return layout


def middles(layout: Layout) -> list[float]:
    return [x + BOX[0] / 2 for x, _ in layout.positions]


def crossings(layout: Layout) -> int:
    """Pairs of slanting pieces between the same heights whose ends change sides."""
    pieces = [
        (start, end)
        for route in layout.routes
        for start, end in zip(route.points, route.points[1:], strict=False)
        if not route.is_stub
    ]
    return sum(
        max(a[1], c[1]) < min(b[1], d[1]) and (a[0] - c[0]) * (b[0] - d[0]) < 0
        for place, (a, b) in enumerate(pieces)
        for c, d in pieces[:place]
    )


def test_a_chain_is_one_straight_line() -> None:
    layout = drawn(CHAIN)
    assert len(set(middles(layout))) == 1
    assert all(len(route.points) == 2 for route in layout.routes)
    assert layout.width == BOX[0]


def test_a_chain_of_boxes_of_any_width_is_straight_through_their_middles() -> None:
    sizes = [(40.0, 20.0), (200.0, 30.0), (90.0, 60.0)]
    layout = lay_out(sizes, [(0, 1), (1, 2)])
    assert problems(sizes, [(0, 1), (1, 2)], layout, OPTIONS) == []
    assert len({x + size[0] / 2 for (x, _), size in zip(layout.positions, sizes, strict=True)}) == 1


def test_a_diamond_is_symmetric() -> None:
    x = middles(drawn(DIAMOND))
    assert x[0] == x[3]
    assert near(x[1] + x[2], 2 * x[0])
    assert near(abs(x[1] - x[2]), BOX[0] + OPTIONS.node_gap)


def test_of_three_branches_the_middle_one_is_straight() -> None:
    x = middles(drawn(FORK_JOIN))
    assert x[0] == sorted(x[1:4])[1] == x[4]


def test_the_main_path_beside_a_residual_edge_is_straight() -> None:
    layout = drawn(RESIDUAL)
    assert len(set(middles(layout))) == 1
    around = layout.routes[3].points
    assert len(around) > 2
    assert around[0][0] == around[-1][0] == middles(layout)[0]


def test_repeated_residual_blocks_stay_on_one_line() -> None:
    edges = [(4 * b + i, 4 * b + i + 1) for b in range(20) for i in range(4)] + [(4 * b, 4 * b + 4) for b in range(20)]
    assert len(set(middles(drawn(edges)))) == 1


def test_attention_blocks_do_not_drift_sideways_however_many_there_are() -> None:
    """Query, key and value: keys and queries meet first, so each block leaves beside where it entered."""
    block = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (4, 5), (3, 6), (5, 6), (6, 7), (0, 7)]

    def width(count: int) -> float:
        return drawn([(7 * b + s, 7 * b + d) for b in range(count) for s, d in block]).width

    assert width(40) < 1.5 * width(2)


def test_parts_lie_side_by_side() -> None:
    layout = drawn(TWO_PARTS)
    assert layout.positions[0][1] == layout.positions[3][1] == 0
    assert layout.width == 2 * BOX[0] + OPTIONS.component_gap


def test_a_side_input_stands_right_above_what_reads_it() -> None:
    layout = drawn(SIDE_INPUT)
    assert layout.positions[5][1] == layout.positions[3][1]


def test_edges_that_share_both_ends_run_side_by_side() -> None:
    first, second, _ = drawn(TWIN).routes
    assert near(abs(first.points[0][0] - second.points[0][0]), OPTIONS.parallel_gap)


def test_parallel_edges_past_other_boxes_keep_apart_all_the_way() -> None:
    layout = drawn([(0, 1), (1, 2), (2, 3), (0, 3), (0, 3)])
    a, b = layout.routes[3].points, layout.routes[4].points
    assert all(near(abs(p[0] - q[0]), OPTIONS.parallel_gap) for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize(
    "edges",
    [CHAIN, DIAMOND, FORK_JOIN, RESIDUAL, TWO_PARTS, STAR, TWIN, UNEVEN, SIDE_INPUT, INCEPTION, TREE],
    ids=["chain", "diamond", "fork", "residual", "parts", "star", "twin", "uneven", "side", "inception", "tree"],
)
def test_small_planar_graphs_have_no_crossing_whatever_the_numbering(edges: Edges) -> None:
    draw = random.Random(1)
    numbers = list(range(max(end for edge in edges for end in edge) + 1))
    for _ in range(8):
        assert crossings(drawn([(numbers[source], numbers[destination]) for source, destination in edges])) == 0
        draw.shuffle(numbers)


@pytest.mark.parametrize("seed", range(5))
def test_a_net_that_can_be_drawn_flat_has_almost_no_crossing_in_any_numbering(seed: int) -> None:
    rows, columns = 8, 6
    draw = random.Random(seed)
    names = draw.sample(range(rows * columns), rows * columns)
    cells = [(row, column) for row in range(rows - 1) for column in range(columns)]
    pairs = [((row, column), (row + 1, column + step)) for row, column in cells for step in (0, 1)]
    edges = [(names[a * columns + b], names[c * columns + d]) for (a, b), (c, d) in pairs if d < columns]
    draw.shuffle(edges)
    assert crossings(drawn(edges)) <= 2


@pytest.mark.parametrize("span", [7, 8, 9, 30])
def test_an_edge_that_spans_more_than_eight_layers_is_a_stub(span: int) -> None:
    layout = drawn([*((node, node + 1) for node in range(span)), (0, span)])
    long = layout.routes[-1]
    assert long.is_stub == (span > 8)
    if long.is_stub:
        lengths = [line[1][1] - line[0][1] for line in (long.points, long.arrival)]
        assert all(near(length, OPTIONS.stub_length) for length in lengths)


def test_how_long_a_whole_edge_may_be_is_an_option() -> None:
    edges = [*CHAIN, (0, 4)]
    options = LayoutOptions(stub_after=3)
    layout = lay_out([BOX] * 5, edges, options)
    assert problems([BOX] * 5, edges, layout, options) == []
    assert [route.is_stub for route in layout.routes] == [False] * 4 + [True]


def test_boxes_without_edges_wrap_into_rows() -> None:
    layout = drawn([(0, 1)], boxes=1002)
    assert 0.5 < layout.width / layout.height < 3
    rows = {y for _, y in layout.positions[2:]}
    assert 10 < len(rows) < 60


def test_boxes_without_edges_keep_their_order_in_reading_direction() -> None:
    positions = lay_out([BOX] * 50, []).positions
    assert sorted(positions, key=lambda position: (position[1], position[0])) == positions


def test_very_many_consumers_wrap_into_several_layers() -> None:
    layout = drawn([(0, node) for node in range(1, 501)])
    assert layout.width < 50 * BOX[0]
    assert len({y for _, y in layout.positions}) > 10


def test_very_many_branches_that_meet_again_wrap_too() -> None:
    layout = drawn([*((0, node) for node in range(1, 201)), *((node, 201) for node in range(1, 201))])
    assert layout.width < 60 * BOX[0]


def test_many_small_parts_are_packed() -> None:
    edges = [(3 * part + i, 3 * part + i + 1) for part in range(100) for i in range(2)]
    layout = drawn(edges)
    assert 0.7 < layout.width / layout.height < 3
    covered = 300 * BOX[0] * BOX[1]
    assert layout.width * layout.height < 6 * covered


def test_small_parts_fill_the_room_beside_a_tall_one() -> None:
    chain = [(node, node + 1) for node in range(200)]
    parts = [(201 + 2 * part, 202 + 2 * part) for part in range(100)]
    alone = drawn(chain).height
    assert drawn(chain + parts).height == alone


def test_no_boxes_make_an_empty_layout() -> None:
    assert lay_out([], []) == Layout([], 0.0, 0.0, [])


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="without cycles, node 1 is on one or below one"):
        lay_out([BOX] * 3, [(0, 1), (1, 2), (2, 1)])


def test_an_edge_to_a_box_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"edge 1 of a layout joins \(1, 2\), there are boxes 0 to 1"):
        lay_out([BOX] * 2, [(0, 1), (1, 2)])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], Edges]:
    count = draw(st.integers(1, 40))
    reach = draw(st.sampled_from([2, 5, 40]))
    names = draw(st.permutations(range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(1, reach))
    drawn_edges = draw(st.lists(pairs, max_size=3 * count))
    edges = [(names[source], names[source + step]) for source, step in drawn_edges if source + step < count]
    if draw(st.booleans()):
        edges += [(names[0], names[node]) for node in range(1, count)]
    lengths = st.floats(1, 300, allow_nan=False)
    return draw(st.lists(st.tuples(lengths, lengths), min_size=count, max_size=count)), edges


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_any_graph_keeps_every_promise(graph: tuple[list[tuple[float, float]], Edges]) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)
    assert problems(sizes, edges, layout, OPTIONS) == []
    assert lay_out(sizes, edges) == layout


@settings(max_examples=30, deadline=None)
@given(graphs(), st.integers(1, 4), st.integers(1, 10))
def test_narrow_layers_and_short_edges_keep_every_promise(
    graph: tuple[list[tuple[float, float]], Edges], layer_nodes: int, stub_after: int
) -> None:
    sizes, edges = graph
    options = LayoutOptions(layer_nodes=layer_nodes, stub_after=stub_after)
    assert problems(sizes, edges, lay_out(sizes, edges, options), options) == []


def test_a_layout_does_not_depend_on_the_hash_seed() -> None:
    script = (
        "import random; from dovetail.report.layout import lay_out, fold_blocks; draw = random.Random(3);"
        "edges = sorted((a, a + draw.randrange(1, 20)) for a in range(200) for _ in range(2));"
        "print(lay_out([(80, 30)] * 220, edges), fold_blocks(['abc'[a % 3] for a in range(220)], edges))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
