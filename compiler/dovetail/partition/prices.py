"""The prices of switches: a flow of one unit over the paths of a graph, learnt from the cuts that answer it.

The flow is a choice at every node: by which of the edges that enter it the paths come that end there or go on. A node
learns by itself, by regret matching (Hart and Mas-Colell 2000, at every node of a tree: Zinkevich et al. 2007): it
remembers of each edge how much more launches there would have been in all cuts so far had its paths come by that edge
alone, and chooses in proportion to that. In blocks that follow one another each block so finds its own balance within
a few cuts, however many there are; a play that shifts a part of the whole flow to one path at a time needs hundreds.
"""

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from dovetail.partition.arrays import Arrays, Floats


class Prices:
    """A flow from the root to the ends of the graph. A flow and a lesson are O(V + E): two triangular systems."""

    def __init__(self, arrays: Arrays, regrets: Floats | None = None) -> None:
        """Start where the paths come by all edges of a node alike, or where another play stopped.

        Args:
            arrays: the structure.
            regrets: those of another play, of the same structure.
        """
        nodes = len(arrays.order)
        position = arrays.positions()
        ends = np.setdiff1d(np.arange(nodes), position[arrays.edge_source])
        self._edges, self._nodes = len(arrays.edge_source), nodes + 1  # behind all ends stands one more node
        self._source = np.concatenate([position[arrays.edge_source], ends])
        self._target = np.concatenate([position[arrays.edge_target], np.full(len(ends), nodes)])
        self._alike = 1.0 / np.bincount(self._target, minlength=self._nodes)[self._target]
        self.regrets = np.zeros(len(self._source)) if regrets is None else regrets.copy()
        """For each edge and end, as cuts are priced."""
        self._choose()

    def _choose(self) -> None:
        """What part of its paths each node lets come by each edge, and the equations that follow from it."""
        wanted = np.maximum(self.regrets, 0.0)
        total = np.bincount(self._target, wanted, self._nodes)[self._target]
        self._part = np.where(total > 0, wanted / np.where(total > 0, total, 1.0), self._alike)
        own = np.arange(self._nodes)
        entries = np.concatenate([np.ones(self._nodes), -self._part])
        where = np.concatenate([own, self._target]), np.concatenate([own, self._source])
        # sources come before targets, so it is triangular, with ones on the diagonal: nothing fills, nothing is lost
        triangle = csc_array((entries, where), (self._nodes, self._nodes))
        self._factors = splu(triangle, permc_spec="NATURAL", diag_pivot_thresh=0.0)

    def flow(self) -> Floats:
        """The part of the unit that is on each edge."""
        end = np.zeros(self._nodes)
        end[-1] = 1.0
        flow: Floats = (self._factors.solve(end, "T")[self._target] * self._part)[: self._edges]
        return flow

    def learn(self, costs: Floats) -> None:
        """Remember the launches on each edge that the cut for `flow` left."""
        gains = np.append(costs, np.zeros(len(self._source) - self._edges))
        launches = self._factors.solve(np.bincount(self._target, self._part * gains, self._nodes))
        self.regrets += gains + launches[self._source] - launches[self._target]
        self._choose()
