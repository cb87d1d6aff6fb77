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
        self._endless: list[tuple[Ints, Ints]] = []
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

    def cut(self, prices: Floats) -> Cut:
        """Cut where it costs least, with a price on each switch. One maximum flow."""
        alpha, beta = self._alpha.copy(), self._beta.copy()
        for numbers, nodes, pays, is_alpha in self._side_switches:
            side = alpha if is_alpha else beta
            side += np.bincount(nodes, weights=pays * prices[numbers], minlength=len(side))
        numbers, pays = self._sure_switches
        constant = self._constant + float((pays * prices[numbers]).sum())
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
        flow = maximum_flow(arcs, self._source, self._sink)
        left = arcs - flow.flow  # without explicit zeros; no arc is below zero
        reached = breadth_first_order(left, self._source, return_predecessors=False)
        on_beta = np.ones(len(self._labels), np.bool_)
        on_beta[self._free[reached[reached < len(self._free)]]] = False
        return Cut(self.place(on_beta), constant + flow.flow_value / scale)

    def place(self, on_beta: Bools) -> Ints:
        """The devices of all nodes with the free ones among `on_beta` on beta, the other free ones on alpha."""
        labels = self._labels.copy()
        labels[self._free] = np.where(on_beta[self._free], self._pair[1], self._pair[0])
        return labels
