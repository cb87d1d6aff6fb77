"""Placement on two devices as a minimum cut.

The units that may be on either of two devices, alpha and beta, are nodes of a flow network; all others stay where
they are. A unit on the source's side of the cut is on alpha. An arc pays for its tail on alpha with its head on beta:

    source -> v     v on beta                 v -> sink      v on alpha
    p -> c          tensor of p to c, beta    c -> p         tensor of p to c, alpha
    p -> a, a => c  one transfer to beta for all readers c; => is never cut
    c => b, b -> p  one transfer to alpha for all readers c

So units and transfers, one for each tensor and destination, are exact. What depends on the order of a run is not
known to a cut: launches enter as *priced switches*, edges that pay their price times the launch of the device they
enter.

Capacities are scaled to 32 bits and rounded down, which keeps the bound valid: SciPy's solver takes no other, and
wraps around in silence beyond. The scale is such that the largest possible flow fits.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from dovetail.partition.arrays import Arrays, Bools, Floats, Ints, Weights

_WHOLE = (1 << 30) - 1
"""What the largest possible flow is scaled to."""
_ENDLESS = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A minimum cut."""

    labels: Ints
    """The device of every node."""
    bound: float
    """No choice for the free units costs less in this network; at most the cost of `labels` in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A network in blocks. Nodes are the free units and what stands beside tensors; they pay on alpha or on beta."""

    free: Ints
    """The units that the first nodes are."""
    block_of: Ints
    """[nodes]"""
    alpha: Floats
    beta: Floats
    arcs: tuple[Ints, Ints, Floats]
    """Tails, heads and capacities of arcs within blocks, without prices."""
    endless: tuple[Ints, Ints]
    """Those within blocks that are never cut."""
    least: Floats
    """[blocks]: what the cut says that no choice within the block is below, launches at their prices."""
    constant: float

    def on_beta(self, labels: Ints) -> Bools:
        """Which nodes are on beta in a placement. Beside a tensor: where its readers in the block must have it, or else
        where it costs nothing."""
        units = len(self.free)
        beta = np.zeros(len(self.block_of), np.bool_)
        beta[:units] = labels[self.free] == 1
        tail, head = self.endless
        beta[tail[(tail >= units) & beta[head]]] = True  # it brings the tensor to beta, where one reads it
        beta[head[head >= units]] = True  # it brings the tensor to alpha, unless nobody reads it there
        beta[head[(head >= units) & ~beta[tail]]] = False
        return beta


class Network:
    """The flow network of two devices, to be cut again and again with other prices."""

    def __init__(
        self, arrays: Arrays, weights: Weights, pair: tuple[int, int], labels: Ints, switches: tuple[Ints, Ints]
    ) -> None:
        """Build the network. O(V + E), plus sorting the arcs.

        Args:
            arrays: the structure.
            weights: what is paid.
            pair: alpha and beta.
            labels: the device of every node; those on a third device, and those that have no choice, keep it.
            switches: sources and targets of the edges that can be priced.
        """
        self._pair = alpha, beta = pair
        self._labels = labels
        on_pair = (labels == alpha) | (labels == beta)
        self._is_free = arrays.allowed[:, alpha] & arrays.allowed[:, beta] & on_pair
        self._free = np.flatnonzero(self._is_free)
        self._index = np.full(len(labels), -1, np.int64)
        self._index[self._free] = np.arange(len(self._free))
        self._nodes = len(self._free)
        self._arcs: list[tuple[Ints, Ints, Floats]] = []
        self._endless: list[tuple[Ints, Ints]] = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        self._alpha = weights.unit[self._free, alpha].copy()
        self._beta = weights.unit[self._free, beta].copy()
        fixed = np.flatnonzero(~self._is_free)
        self._constant = float(weights.unit[fixed, labels[fixed]].sum())
        self._add_transfers(arrays, weights)
        self._add_switches(weights, switches)
        self._assemble()

    @property
    def has_choice(self) -> bool:
        """Whether any unit is free."""
        return bool(len(self._free))

    def _add_transfers(self, arrays: Arrays, weights: Weights) -> None:
        alpha, beta = self._pair
        tensors = len(arrays.producer)
        producer, tensor, reader = arrays.producer, arrays.reader_tensor, arrays.reader
        reads_free = self._is_free[reader]
        fixed = np.zeros((tensors, arrays.devices), np.bool_)  # destinations that are sure
        fixed[tensor[~reads_free], self._labels[reader[~reads_free]]] = True
        made_free = self._is_free[producer]
        home = self._labels[producer]
        rows = np.arange(tensors)
        self._constant += float((weights.transfer[rows, home] * fixed)[~made_free].sum())
        own = self._index[producer]
        for device, side in ((alpha, self._alpha), (beta, self._beta)):
            sure = (weights.transfer[:, device] * fixed).sum(axis=1)
            np.add.at(side, own[made_free], sure[made_free])
        readers = np.bincount(tensor[reads_free], minlength=tensors)
        single = np.full(tensors, -1, np.int64)
        single[tensor[reads_free]] = self._index[reader[reads_free]]
        for device, other, side in ((beta, alpha, self._beta), (alpha, beta, self._alpha)):
            pays = np.where(made_free, weights.transfer[:, other, device], weights.transfer[rows, home, device])
            pays = np.where(fixed[:, device] | (readers == 0), 0.0, pays)
            lone = (readers == 1) & ~made_free & (pays > 0)
            np.add.at(side, single[lone], pays[lone])
            pair = (readers == 1) & made_free & (pays > 0)
            ends = (own[pair], single[pair]) if device == beta else (single[pair], own[pair])
            self._arcs.append((*ends, pays[pair]))
            self._add_shared(arrays, (readers > 1) & (pays > 0), pays, made_free, to_beta=device == beta)

    def _add_shared(self, arrays: Arrays, chosen: Bools, pays: Floats, made_free: Bools, to_beta: bool) -> None:
        """One node beside each chosen tensor, so that its free readers on a device pay once."""
        numbers = np.flatnonzero(chosen)
        if not len(numbers):
            return
        beside = np.full(len(pays), -1, np.int64)
        beside[numbers] = self._nodes + np.arange(len(numbers))
        self._nodes += len(numbers)
        terminal = -1 if to_beta else -2  # stands for the source and the sink until all nodes are counted
        start = np.where(made_free[numbers], self._index[arrays.producer[numbers]], terminal)
        readings = np.flatnonzero(chosen[arrays.reader_tensor] & self._is_free[arrays.reader])
        aside, ends = beside[arrays.reader_tensor[readings]], self._index[arrays.reader[readings]]
        if to_beta:
            self._arcs.append((start, beside[numbers], pays[numbers]))
            self._endless.append((aside, ends))
        else:
            self._arcs.append((beside[numbers], start, pays[numbers]))
            self._endless.append((ends, aside))

    def _add_switches(self, weights: Weights, switches: tuple[Ints, Ints]) -> None:
        """What a unit of price adds: arcs between free nodes, and to the sides of free nodes beside fixed ones."""
        alpha, beta = self._pair
        launch, labels = weights.launch, self._labels
        source, target = switches
        self._switch_source = source
        free_source, free_target = self._is_free[source], self._is_free[target]
        both = free_source & free_target
        self._switch_arcs = np.flatnonzero(both)
        self._switch_ends = self._index[source[both]], self._index[target[both]]
        self._switch_launch = launch[beta], launch[alpha]
        entered, left = launch[labels[target]], labels[source]
        self._side_switches: list[tuple[Ints, Ints, Floats, bool]] = []
        only_source, only_target = (
            np.flatnonzero(free_source & ~free_target),
            np.flatnonzero(free_target & ~free_source),
        )
        for device, is_alpha in ((alpha, True), (beta, False)):
            pays = np.where(labels[target] != device, entered, 0.0)
            self._side_switches.append((only_source, self._index[source[only_source]], pays[only_source], is_alpha))
            pays = np.where(left != device, launch[device], 0.0)
            self._side_switches.append((only_target, self._index[target[only_target]], pays[only_target], is_alpha))
        neither = np.flatnonzero(~free_source & ~free_target & (left != labels[target]))
        self._sure_switches = neither, entered[neither]

    def _assemble(self) -> None:
        """Lay out the arcs, each with its reverse, as one sparse matrix whose values are set for each cut."""
        self._source, self._sink = self._nodes, self._nodes + 1
        free = np.arange(len(self._free))
        tails = [*(arc[0] for arc in self._arcs), *(arc[0] for arc in self._endless), *self._switch_ends]
        heads = [*(arc[1] for arc in self._arcs), *(arc[1] for arc in self._endless), *self._switch_ends[::-1]]
        tail = np.concatenate([*tails, np.full(len(free), self._source), free])
        head = np.concatenate([*heads, free, np.full(len(free), self._sink)])
        tail[tail == -1], head[head == -2] = self._source, self._sink
        size = self._nodes + 2
        keys, where = np.unique(np.concatenate([tail * size + head, head * size + tail]), return_inverse=True)
        self._where = where[: len(tail)]
        self._columns = (keys % size).astype(np.int32)
        self._rows = np.searchsorted(keys, np.arange(size + 1) * size).astype(np.int32)
        before = sum(len(arc[0]) for arc in self._arcs)
        behind = before + sum(len(arc[0]) for arc in self._endless)
        self._fixed_capacity = np.concatenate([*(arc[2] for arc in self._arcs), np.zeros(behind - before)])
        self._is_endless = self._where[before:behind]
        self._terminals = (
            slice(self._rows[self._source], self._rows[self._source + 1]),
            np.flatnonzero(self._columns == self._sink),
        )

    def _sides(self, prices: Floats) -> tuple[Floats, Floats, float]:
        """What free units pay on alpha and on beta, and what is paid for certain."""
        alpha, beta = self._alpha.copy(), self._beta.copy()
        for numbers, nodes, pays, is_alpha in self._side_switches:
            side = alpha if is_alpha else beta
            side += np.bincount(nodes, weights=pays * prices[numbers], minlength=len(side))
        numbers, pays = self._sure_switches
        return alpha, beta, self._constant + float((pays * prices[numbers]).sum())

    def _flow(self, prices: Floats) -> tuple[csr_array, csr_array, float, float]:
        """Whole capacities and a maximum flow, the value of one of their units, and the bound."""
        alpha, beta, constant = self._sides(prices)
        least = np.minimum(alpha, beta)
        constant += float(least.sum())
        priced = prices[self._switch_arcs]
        to_beta, to_alpha = self._switch_launch
        capacity = np.concatenate(
            [self._fixed_capacity, priced * to_beta, priced * to_alpha, beta - least, alpha - least]
        )
        values = np.bincount(self._where, weights=capacity, minlength=len(self._columns))
        most = min(float(values[ends].sum()) for ends in self._terminals)  # no flow is larger, on any arc
        largest = most if most > 0 else float(values.max(initial=0.0))  # without a flow, small arcs still lead on
        scale = _WHOLE / largest if largest > 0 else 1.0
        whole = np.minimum(np.floor(values * scale), _ENDLESS).astype(np.int32)
        whole[self._is_endless] = _ENDLESS
        size = self._nodes + 2
        arcs = csr_array((whole, self._columns, self._rows), (size, size))
        found = maximum_flow(arcs, self._source, self._sink)
        return arcs, found.flow, scale, constant + found.flow_value / scale

    def cut(self, prices: Floats) -> Cut:
        """Cut where it costs least, with a price on each switch. One maximum flow."""
        arcs, flow, _, bound = self._flow(prices)
        left = arcs - flow  # without explicit zeros; no arc is below zero
        reached = breadth_first_order(left, self._source, return_predecessors=False)
        on_beta = np.ones(len(self._labels), np.bool_)
        on_beta[self._free[reached[reached < len(self._free)]]] = False
        return Cut(self.place(on_beta), bound)

    def split(self, prices: Floats, block_of: Ints, crosses: Bools) -> Split:
        """Give what ties blocks to their nodes, by the flow at these prices: no choice costs less, nor the best more.

        An arc is cut for its capacity or not at all, so flow * (beta of its head - beta of its tail) is at most what
        it costs, whatever the flow on it.

        Args:
            prices: as for `cut`.
            block_of: the block of every unit.
            crosses: the edges between blocks.
        """
        _, flow, scale, _ = self._flow(prices)
        within_prices = np.where(crosses, 0.0, prices)
        on_alpha, on_beta, constant = self._sides(prices - within_prices)
        beside = np.zeros(self._nodes - len(self._free))
        alpha, beta = np.concatenate([on_alpha, beside]), np.concatenate([on_beta, beside])
        blocks = self._blocks(block_of)
        arcs: list[tuple[Ints, Ints, Floats]] = []
        for tail, head, capacity in self._arcs:
            np.add.at(beta, head[tail == -1], capacity[tail == -1])
            np.add.at(alpha, tail[head == -2], capacity[head == -2])
            within = (tail >= 0) & (head >= 0)
            within[within] = blocks[tail[within]] == blocks[head[within]]
            arcs.append((tail[within], head[within], capacity[within]))
        tail, head = (np.concatenate([ends[end] for ends in self._endless]) for end in (0, 1))
        within = blocks[tail] == blocks[head]
        flows = flow.tocoo()
        real = (flows.data > 0) & (flows.row < self._nodes) & (flows.col < self._nodes)
        source, target, amount = flows.row[real], flows.col[real], flows.data[real] / scale
        tie = blocks[source] != blocks[target]
        np.add.at(beta, target[tie], amount[tie])
        np.subtract.at(beta, source[tie], amount[tie])
        tails, heads, capacities = zip(*arcs, strict=True)
        whole = np.concatenate(tails), np.concatenate(heads), np.concatenate(capacities)
        least = self._least(prices, within_prices, flow, scale, blocks, block_of)
        return Split(self._free, blocks, alpha, beta, whole, (tail[within], head[within]), least, constant)

    def _least(
        self, prices: Floats, within: Floats, flow: csr_array, scale: float, blocks: Ints, block_of: Ints
    ) -> Floats:
        """The bound of the cut, by block: what free units pay at least, and the flow from the block to the sink."""
        on_alpha, on_beta, _ = self._sides(prices)
        count = int(block_of.max()) + 1
        least = np.zeros(count)
        np.add.at(least, block_of[self._free], np.minimum(on_alpha, on_beta))
        drained = -flow[[self._sink], : self._nodes].toarray().ravel() / scale
        numbers, pays = self._sure_switches
        sure = np.bincount(block_of[self._switch_source[numbers]], pays * within[numbers], count)
        return least + np.bincount(blocks, drained, count) + sure

    def _blocks(self, block_of: Ints) -> Ints:
        """The block of every node; beside a tensor, of the first unit that it is tied to."""
        blocks = np.full(self._nodes, np.iinfo(np.int64).max)
        blocks[: len(self._free)] = block_of[self._free]
        for tail, head in self._endless:
            for end, other in ((tail, head), (head, tail)):
                np.minimum.at(blocks, end, np.where(end >= len(self._free), blocks[other], blocks[end]))
        for tail, head, _ in self._arcs:
            for end, other in ((tail, head), (head, tail)):
                real = (end >= len(self._free)) & (other >= 0)
                np.minimum.at(blocks, end[real], blocks[other[real]])
        return blocks

    def place(self, on_beta: Bools) -> Ints:
        """The devices of all nodes with the free ones among `on_beta` on beta, the other free ones on alpha."""
        labels = self._labels.copy()
        labels[self._free] = np.where(on_beta[self._free], self._pair[1], self._pair[0])
        return labels
