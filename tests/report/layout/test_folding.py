from collections.abc import Sequence

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.report.layout import Folding, fold_blocks

Edges = list[tuple[int, int]]


def checked(labels: Sequence[str], edges: Edges) -> Folding:
    """Folds, and checks all that must hold of any folding."""
    folding = fold_blocks(labels, edges)
    graph: nx.DiGraph[int] = nx.DiGraph(edges)
    graph.add_nodes_from(range(len(labels)))
    assert sorted(node for group in folding.groups for node in group.nodes) == list(range(len(labels)))
    assert all(folding.group_of[node] == number for number, group in enumerate(folding.groups) for node in group.nodes)
    crossing = {(folding.group_of[a], folding.group_of[b]) for a, b in edges} - {(n, n) for n in range(len(labels))}
    assert sorted(folding.edges) == sorted(crossing)
    assert all(source < destination for source, destination in folding.edges)  # acyclic, so every group is convex
    for group in folding.groups:
        shapes = [_shape(copy, labels, graph) for copy in group.copies]
        assert shapes.count(shapes[0]) == len(shapes)
    return folding


def _shape(
    copy: tuple[int, ...], labels: Sequence[str], graph: "nx.DiGraph[int]"
) -> tuple[list[str], list[tuple[int, int]]]:
    place = {node: number for number, node in enumerate(copy)}
    inner = sorted((place[a], place[b]) for a, b in graph.subgraph(copy).edges)
    return [labels[node] for node in copy], inner


def repeated(block: str, inner: Edges, times: int) -> tuple[list[str], Edges]:
    """A head, copies of a block, a tail; -1 in `inner` is the last node before a copy, which its first reads too."""
    labels, edges = ["i"], []
    for _ in range(times):
        first = len(labels)
        edges += [(first - 1 if a < 0 else first + a, first + b) for a, b in [(-1, 0), *inner]]
        labels += block
    return [*labels, "o"], [*edges, (len(labels) - 1, len(labels))]


RESIDUAL = ("abcd", [(0, 1), (1, 2), (2, 3), (-1, 3)])
ATTENTION = ("nqkvsca", [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (4, 5), (3, 5), (5, 6), (-1, 6)])
INCEPTION = ("xyzwj", [(0, 1), (0, 2), (2, 3), (1, 4), (3, 4)])


@pytest.mark.parametrize("times", [2, 3, 12, 100])
@pytest.mark.parametrize("block", [RESIDUAL, ATTENTION, INCEPTION], ids=["residual", "attention", "inception"])
def test_a_chain_of_equal_blocks_is_one_group_between_head_and_tail(block: tuple[str, Edges], times: int) -> None:
    folding = checked(*repeated(*block, times))
    head, blocks, tail = folding.groups
    assert (len(head.nodes), len(blocks.copies), len(tail.nodes)) == (1, times, 1)
    assert blocks.shape is not None
    assert head.shape is None
    assert folding.edges == [(0, 1), (1, 2)]


def test_a_tensor_that_feeds_every_block_does_not_break_the_repetition() -> None:
    labels, edges = repeated(*ATTENTION, 12)
    mask = len(labels)
    edges += [(mask, node) for node, label in enumerate(labels) if label == "s"]
    folding = checked([*labels, "m"], edges)
    assert sorted(len(group.copies) for group in folding.groups) == [1, 1, 1, 12]


def test_the_computation_of_a_mask_stands_before_the_blocks_not_in_the_first() -> None:
    labels, edges = repeated(*ATTENTION, 12)
    mask = len(labels)
    edges += [(mask, mask + 1), (mask + 1, mask + 2)]
    edges += [(mask + 2, node) for node, label in enumerate(labels) if label == "s"]
    folding = checked([*labels, *"tuv"], edges)
    assert max(len(group.copies) for group in folding.groups) == 12


def test_numbering_of_the_nodes_does_not_matter() -> None:
    labels, edges = repeated(*ATTENTION, 5)
    last = len(labels) - 1
    folding = checked(labels[::-1], [(last - a, last - b) for a, b in edges])
    assert [len(group.copies) for group in folding.groups] == [1, 5, 1]


def test_blocks_are_cut_where_fewest_tensors_cross() -> None:
    labels, edges = repeated(*RESIDUAL, 6)
    group = checked(labels, edges).groups[1]
    assert [labels[node] for node in group.copies[0]] == list("abcd")


def test_the_same_block_at_two_places_has_one_shape() -> None:
    labels, edges = repeated(*RESIDUAL, 3)
    shift = len(labels)
    again = [(a + shift, b + shift) for a, b in edges]
    folding = checked(labels + labels, [*edges, (shift - 1, shift), *again])
    assert [group.shape for group in folding.groups if group.shape is not None] == [0, 0]


def test_a_block_that_stands_alone_shares_the_shape_of_those_that_repeat() -> None:
    labels, edges = repeated(*RESIDUAL, 4)
    end = len(labels) - 1
    alone = [(end, end + 1), (end + 1, end + 2), (end + 2, end + 3), (end + 3, end + 4), (end, end + 4)]
    folding = checked([*labels, *"abcd"], [*edges, *alone])
    assert [len(group.copies) for group in folding.groups if group.shape == 0] == [4, 1]


def test_residual_blocks_win_over_a_stage_that_happens_to_occur_twice() -> None:
    stages = [("d", 2), ("d", 3), ("d", 5), ("d", 2)]
    labels, edges = ["i"], []
    for entry, count in stages:
        edges.append((len(labels) - 1, len(labels)))
        labels.append(entry)
        for _ in range(count):
            last = len(labels) - 1
            edges += [(last, last + 1), (last + 1, last + 2), (last + 2, last + 3), (last, last + 3)]
            labels += "abc"
    folding = checked(labels, edges)
    assert [len(group.copies) for group in folding.groups if group.shape == 0] == [2, 3, 5, 2]


def test_residual_blocks_win_over_pairs_of_plain_ones_around_an_addition() -> None:
    """Inverted residual blocks: those of a stage but its first add their input, and all have the same layers."""
    labels, edges = ["i"], []
    for added in (2, 3, 2, 2, 0):
        for block in range(added + 1):
            last = len(labels) - 1
            edges += [(last + step, last + step + 1) for step in range(5)]
            labels += "ckckc"
            if block:
                edges += [(last + 5, last + 6), (last, last + 6)]
                labels.append("+")
    runs = [group for group in checked(labels, edges).groups if len(group.copies[0]) == 6]
    assert [len(group.copies) for group in runs] == [2, 3, 2, 2]


def test_equal_branches_that_nothing_joins_stay_apart() -> None:
    edges = [(6 * branch + step, 6 * branch + step + 1) for branch in range(4) for step in range(5)]
    assert all(len(group.copies) == 1 for group in checked("abcdef" * 4, edges).groups)


def test_equal_branches_of_one_fork_fold_together() -> None:
    edges = [(0, 1 + 3 * branch) for branch in range(4)]
    edges += [(1 + 3 * branch + step, 2 + 3 * branch + step) for branch in range(4) for step in range(2)]
    folding = checked("i" + "abc" * 4, edges)
    assert [len(group.copies) for group in folding.groups] == [1, 4]


def test_other_inner_edges_make_another_block() -> None:
    labels = ["i", *"abcd" * 2]
    chain = [(node, node + 1) for node in range(8)]
    assert all(group.shape is None for group in checked(labels, [*chain, (1, 3)]).groups)


def test_without_repetition_every_node_stays_alone() -> None:
    labels = [str(node) for node in range(40)]
    assert len(checked(labels, [(node, node + 1) for node in range(39)]).groups) == 40


def test_very_many_nodes_without_repetition_are_gathered() -> None:
    labels = [str(node) for node in range(5000)]
    edges = [(node, node + 1) for node in range(4999)] + [(node, node + 3) for node in range(0, 4990, 7)]
    folding = checked(labels, edges)
    assert 100 < len(folding.groups) < 500
    assert max(len(group.nodes) for group in folding.groups) < 60


def test_no_nodes_fold_to_nothing() -> None:
    assert fold_blocks([], []) == Folding([], [], [])


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="without cycles"):
        fold_blocks("ab", [(0, 1), (1, 0)])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_graph_folds_to_a_graph_without_cycles(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 60))
    period = data.draw(st.integers(1, 8))
    names = data.draw(st.permutations(range(count)))
    steps = data.draw(st.lists(st.tuples(st.integers(0, period - 1), st.integers(1, 9)), max_size=8))
    extra = data.draw(st.lists(st.tuples(st.integers(0, count), st.integers(1, 60)), max_size=4))
    pairs = [(start + at, start + at + step) for start in range(0, count, period) for at, step in steps]
    pairs += [(at, at + step) for at, step in extra]
    edges = [(names[source], names[end]) for source, end in pairs if end < count]
    labels = [""] * count
    for place, name in enumerate(names):
        labels[name] = "abc"[place % period % 3]
    checked(labels, edges)
