"""A placement on two devices, and its bound, from exact solutions of blocks of the graph.

The prices of `Prices` and a maximum flow at these prices are multipliers for everything that ties one part of the
graph to another. What ties two blocks is replaced by what it costs at these multipliers, which is a lower bound; each
block is then a small mixed-integer program of its own, with its launches exact:

    units of the block on their devices
    + transfers within the block
    + flow * (x[head] - x[tail])          each arc between blocks, its flow in the cut; x: 1 on the second device
    + (in[v] - out[v]) * h[v]             the flow of prices within the block; by duality its worst launches, as
                                          h[v] >= h[u] + launch of the switch on u -> v, each edge within

The linear program of the whole has about the value of the cut. What it lacks are places here and there where no
placement is as good as a mixture of two, and the program of a block sees these: so the sum is a better bound, in time
that grows with the number of blocks alone.
"""

import time

import numpy as np
from scipy.optimize import Bounds, LinearConstraint

from dovetail.partition.arrays import Arrays, Bools, Floats, Ints, Weights
from dovetail.partition.launches import heights, switch_costs
from dovetail.partition.network import Network, Split
from dovetail.partition.program import Solution
from dovetail.partition.rows import Rows, solve_rows

_SLACK = 0.25
"""Part of its size by which a block may be shorter or longer, to end where little crosses."""
_HALF = 0.5


def solve_blocks(
    arrays: Arrays,
    weights: Weights,
    network: Network,
    prices: Floats,
    known: Ints,
    *,
    gap: float,
    deadline: float,
    units: int,
) -> Solution:
    """Solve the blocks in which a placement that is known may not be the best. O(V + E), and a program for each.

    Args:
        arrays: the structure, with two devices.
        weights: what is made smallest.
        network: of all units.
        prices: a unit flow over the edges; the closer to the best, the better the bound.
        known: the devices of all nodes in a good placement. Where it meets the bound of the cut, nothing is left to do.
        gap: relative gap at which HiGHS may stop at a block.
        deadline: when it must stop; blocks that are open then stay as they are known, and the cut bounds them.
        units: in a block, about.
    """
    block_of = blocks_of(arrays, units)
    crosses = block_of[arrays.edge_source] != block_of[arrays.edge_target]
    split = network.split(prices, block_of, crosses)
    programs = _Programs(arrays, weights, split, prices, block_of, crosses, known)
    on_beta, bound, timed_out = known == 1, split.constant, False
    enough = gap * float(split.constant + split.least.sum()) / len(split.least)
    for block, least in enumerate(split.least.tolist()):
        left = deadline - time.monotonic()
        if left <= 0 or programs.value_known(block) <= least + enough:
            timed_out |= left <= 0
            bound += least
            continue
        answer = solve_rows(*programs.of(block), gap, left)
        timed_out |= answer.timed_out
        free, constant = programs.free(block)
        bound += max(constant + answer.bound, least)
        if answer.values is not None:
            on_beta[free] = answer.values[: len(free)] > _HALF
    return Solution(network.place(on_beta), max(bound, 0.0), timed_out=timed_out)


def blocks_of(arrays: Arrays, units: int) -> Ints:
    """The block of every node, in the order of the graph; a block ends where the fewest edges cross. O(V + E)."""
    nodes = len(arrays.order)
    position = np.maximum(arrays.positions(), 0)  # the host pays nothing: any block will do
    crossing = np.zeros(nodes + 1, np.int64)
    np.add.at(crossing, position[arrays.edge_source] + 1, 1)
    np.subtract.at(crossing, position[arrays.edge_target] + 1, 1)
    width = np.cumsum(crossing)  # of the edges that cross before each position
    starts, least, most = [0], round(units * (1 - _SLACK)), round(units * (1 + _SLACK))
    while nodes - starts[-1] > most:
        first = starts[-1] + least
        starts.append(first + int(width[first : starts[-1] + most + 1].argmin()))
    return np.searchsorted(np.array(starts), position, side="right") - 1


class _Programs:
    """Columns and rows of one block after the other."""

    def __init__(
        self,
        arrays: Arrays,
        weights: Weights,
        split: Split,
        prices: Floats,
        block_of: Ints,
        crosses: Bools,
        known: Ints,
    ) -> None:
        self._split = split
        blocks, nodes = int(block_of.max()) + 1, len(block_of)
        # behind the ends of the graph stands one more node: which of those in its block paths end at is open
        ends = np.setdiff1d(np.array(arrays.order), arrays.edge_source)
        self._edges = (
            np.concatenate([arrays.edge_source, ends]),
            np.concatenate([arrays.edge_target, np.full(len(ends), nodes)]),
        )
        # heights are counted in the larger launch, so that what rows hold is about 1 whatever a launch costs
        self._most = float(weights.launch.max()) or 1.0
        self._launch = np.zeros((2, len(self._edges[0])))
        self._launch[:, : len(crosses)] = weights.launch[:, None] / self._most
        block_of = np.append(block_of, blocks - 1)
        within = np.flatnonzero(np.append(~crosses, block_of[ends] == blocks - 1))
        flow = np.append(prices, np.bincount(arrays.edge_target, prices, nodes)[ends])[within]
        source, target = (ends_[within] for ends_ in self._edges)
        self._net = np.bincount(target, flow, nodes + 1) - np.bincount(source, flow, nodes + 1)
        self._nodes_of = _groups(split.block_of, blocks)
        self._units_of = _groups(block_of, blocks)
        self._edges_of = [within[group] for group in _groups(block_of[source], blocks)]
        self._arcs_of = _groups(split.block_of[split.arcs[0]], blocks)
        self._endless_of = _groups(split.block_of[split.endless[0]], blocks)
        self._node_of = np.full(nodes + 1, -1, np.int64)
        self._node_of[split.free] = np.arange(len(split.free))
        self._column, self._height = np.zeros(len(split.block_of), np.int64), np.zeros(nodes + 1, np.int64)
        self._is_beta = np.append(arrays.allowed[:, 1], False).astype(np.float64)  # of those that have no choice
        self._known = split.on_beta(known)
        height = heights(arrays, switch_costs(arrays, weights, known)) / self._most
        self._known_height = np.append(height, height[ends[block_of[ends] == blocks - 1]].max(initial=0.0))

    def free(self, block: int) -> tuple[Ints, float]:
        """The units whose place the first columns are, and what is paid whatever they are."""
        nodes = self._nodes_of[block]
        return self._split.free[nodes[nodes < len(self._split.free)]], float(self._split.alpha[nodes].sum())

    def value_known(self, block: int) -> float:
        """What the block costs where all is as it is known, which its launches may be below."""
        nodes, units, arcs = self._nodes_of[block], self._units_of[block], self._arcs_of[block]
        tail, head, capacity = (part[arcs] for part in self._split.arcs)
        places = np.where(self._known[nodes], self._split.beta[nodes], self._split.alpha[nodes]).sum()
        cut = capacity[self._known[head] & ~self._known[tail]].sum()
        return float(places + cut + (self._net[units] * self._known_height[units]).sum() * self._most)

    def of(self, block: int) -> tuple[Floats, LinearConstraint, Bounds, Ints]:
        """What a block costs by its columns: nodes on beta, arcs that are cut, and launches on the way to each unit."""
        split, nodes, units, arcs = self._split, self._nodes_of[block], self._units_of[block], self._arcs_of[block]
        tail, head, capacity = (part[arcs] for part in split.arcs)
        cost = np.concatenate([split.beta[nodes] - split.alpha[nodes], capacity, self._net[units] * self._most])
        rows = Rows()
        column, height = self._column, self._height  # of other blocks they hold what is not asked for
        column[nodes] = np.arange(len(nodes))
        height[units] = len(nodes) + len(arcs) + np.arange(len(units))
        cut = len(nodes) + np.arange(len(arcs))
        rows.add([(cut, 1.0), (column[head], -1.0), (column[tail], 1.0)], np.zeros(len(arcs)))
        tail, head = (ends[self._endless_of[block]] for ends in split.endless)
        rows.add([(column[tail], 1.0), (column[head], -1.0)], np.zeros(len(tail)))
        edges = self._edges_of[block]
        source, target = (ends[edges] for ends in self._edges)
        for launch in (-self._launch[1, edges], self._launch[0, edges]):  # h[target] >= h[source] + the switch's launch
            terms: list[tuple[Ints, float | Floats]] = [(height[target], 1.0), (height[source], -1.0)]
            low = np.zeros(len(edges))
            for ends, factor in ((target, launch), (source, -launch)):
                place = self._node_of[ends]
                terms.append((np.where(place < 0, -1, column[place]), factor))
                low = low - np.where(place < 0, factor * self._is_beta[ends], 0.0)
            rows.add(terms, low)
        upper = np.ones(len(cost))
        upper[len(nodes) + len(arcs) :] = len(units)
        whole = np.zeros(len(cost), np.int64)
        whole[: len(nodes)] = nodes < len(split.free)
        return cost, rows.constraint(len(cost)), Bounds(0.0, upper), whole


def _groups(keys: Ints, count: int) -> list[Ints]:
    """The positions of each key from 0 on."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.cumsum(np.bincount(keys, minlength=count))[:-1])
