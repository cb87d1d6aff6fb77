"""Placement as a mixed-integer linear program, solved by HiGHS.

x[v, d] is 1 where unit v is on device d. z[t, a, d] is 1 where tensor t goes from a to d, its maker p being on a:

    sum over a of z[t, a, d] >= x[c, d] - x[p, d]     for every reader c of t, every d
    z[t, a, d] <= x[p, a]                             (follows with two devices)

h[v] is the launches on the worst path from the root to v:

    h[v] >= h[u] + launch[d] * (x[v, d] - x[u, d])                              two devices; every edge u -> v, every d
    h[v] >= h[u] + sum of launch[d] * s[e, d],  s[e, d] >= x[v, d] - x[u, d]    more devices

A quantity (latency, energy, the load of a device) is the sum of its units and transfers, and the largest h. That is
exact for two devices, and a lower bound for more, whose partitions no path need visit all.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint

from dovetail.partition.arrays import Arrays, Floats, Ints, Weights
from dovetail.partition.rows import Rows, solve_rows

_LARGEST = 1e3
"""What the dearest part of a quantity is scaled to: with rows of 1e8 HiGHS cuts off the best, or all that there is."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What a placement must keep."""

    quantities: tuple[tuple[Weights, float], ...] = ()
    """Each with the most that it may be."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What HiGHS found."""

    labels: Ints | None
    """The devices of all nodes; None where it found none in time. Of a relaxed program: rounded, limits or not."""
    bound: float
    """No placement that keeps the limits is below."""
    infeasible: bool = False
    timed_out: bool = False


def solve_program(
    arrays: Arrays,
    goals: Sequence[Weights],
    limits: Limits = NO_LIMITS,
    *,
    gap: float,
    deadline: float,
    relax: bool = False,
) -> Solution:
    """Make the largest of the goals smallest. Time grows steeply with size; `deadline` (`time.monotonic`) ends it.

    Args:
        arrays: the structure.
        goals: one quantity as a rule; the loads of all devices for throughput.
        limits: what must be kept.
        gap: relative gap at which HiGHS may stop.
        deadline: when it must stop.
        relax: let units be on several devices in parts, for a bound alone.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        return Solution(None, 0.0, timed_out=True)
    factor = _factor(arrays, goals)
    builder = _Builder(arrays, [weights.times(factor) for weights in goals], _scaled(arrays, limits))
    cost, constant, rows, bounds, whole = builder.assemble()
    answer = solve_rows(cost, rows, bounds, np.zeros_like(whole) if relax else whole, gap, left)
    if answer.infeasible:  # without limits there is always a solution, and HiGHS met numbers too far apart
        limited = bool(limits.quantities)
        return Solution(None, np.inf if limited else 0.0, infeasible=limited)
    proves = answer.solved or not relax  # a linear program that was stopped proves nothing
    bound = (constant + answer.bound) / factor if proves else 0.0
    labels = None if answer.values is None else builder.labels(answer.values)
    return Solution(labels, max(float(bound), 0.0), timed_out=answer.timed_out)


def _factor(arrays: Arrays, quantities: Sequence[Weights]) -> float:
    """What all quantities are multiplied by."""
    most = 0.0
    for weights in quantities:
        parts = np.where(arrays.allowed, weights.unit, 0.0), weights.transfer, weights.launch
        most = max(most, *(float(part.max(initial=0.0)) for part in parts))
    return _LARGEST / most if most > 0 else 1.0


def _scaled(arrays: Arrays, limits: Limits) -> Limits:
    """The same limits, each in a measure of its own."""
    factors = [_factor(arrays, [weights]) for weights, _ in limits.quantities]
    pairs = zip(limits.quantities, factors, strict=True)
    return Limits(tuple((weights.times(factor), most * factor) for (weights, most), factor in pairs))


class _Builder:
    """Columns and rows of the program, collected as arrays."""

    def __init__(self, arrays: Arrays, goals: Sequence[Weights], limits: Limits) -> None:
        self._arrays = arrays
        self._nodes = np.arange(arrays.units + 2)
        self._two = arrays.devices == 2
        self._columns = 0
        self._rows = Rows()
        self._upper: list[Floats] = []
        self._lower: list[Floats] = []
        self._add_places()
        self._add_moves(goals, limits)
        self._goal = self._column(1) if len(goals) > 1 else None
        self._cost: list[tuple[Ints, Floats]] = []
        self._constant = 0.0
        for weights in goals:
            self._add_goal(weights)
        for weights, most in limits.quantities:
            columns, values, constant = self._quantity(weights)
            self._rows.add_one(columns, -values, constant - most)

    # --- columns -----------------------------------------------------------------------------------------------

    def _column(self, count: int, upper: float = np.inf) -> Ints:
        self._lower.append(np.zeros(count))
        self._upper.append(np.full(count, upper))
        self._columns += count
        return np.arange(self._columns - count, self._columns)

    def _add_places(self) -> None:
        """One column a node and device; with two devices one a node, which says whether it is on the second."""
        allowed = self._arrays.allowed
        if self._two:
            self._place = self._column(len(self._nodes), 1.0)
            self._lower[-1] = np.where(allowed[:, 0], 0.0, 1.0)
            self._upper[-1] = np.where(allowed[:, 1], 1.0, 0.0)
            return
        self._place = self._column(allowed.size, 1.0).reshape(allowed.shape)
        self._upper[-1] = allowed.ravel().astype(np.float64)
        for sign in (1.0, -1.0):  # on exactly one device
            self._rows.add([(column, sign) for column in self._place.T], np.full(len(self._nodes), sign))

    def _on(self, nodes: Ints, device: int, sign: float) -> tuple[Ints, float, float]:
        """The column, its sign and the constant that make `sign * x[nodes, device]`."""
        if not self._two:
            return self._place[nodes, device], sign, 0.0
        return self._place[nodes], sign if device else -sign, 0.0 if device else sign

    def _add_moves(self, goals: Sequence[Weights], limits: Limits) -> None:
        """z, for tensors and destinations that anything pays for."""
        arrays = self._arrays
        paid = sum(weights.transfer for weights in (*goals, *(weights for weights, _ in limits.quantities)))
        self._moves: dict[tuple[int, int], tuple[Ints, Ints]] = {}
        for device in range(arrays.devices):
            column_of: list[Ints] = []
            # from everywhere or from nowhere: a move that costs nothing stands in for one that does
            costs = (np.asarray(paid)[:, :, device] > 0).any(axis=1)
            for home in range(arrays.devices):
                if home == device:
                    continue
                possible = arrays.allowed[arrays.producer, home] & costs
                tensors = np.flatnonzero(possible)
                columns = self._column(len(tensors), 1.0)
                self._moves[home, device] = tensors, columns
                column_of.append(np.full(len(arrays.producer), -1, np.int64))
                column_of[-1][tensors] = columns
                if not self._two:
                    column, sign, _ = self._on(arrays.producer[tensors], home, 1.0)
                    self._rows.add([(column, sign), (columns, -1.0)], np.zeros(len(tensors)))
            self._add_arrivals(device, np.array(column_of))

    def _add_arrivals(self, device: int, column_of: Ints) -> None:
        arrays = self._arrays
        tensor, reader = arrays.reader_tensor, arrays.reader
        useful = arrays.allowed[reader, device] & (column_of[:, tensor] >= 0).any(axis=0)
        tensor, reader = tensor[useful], reader[useful]
        here, sign, constant = self._on(reader, device, -1.0)
        made, made_sign, made_constant = self._on(arrays.producer[tensor], device, 1.0)
        terms = [(here, sign), (made, made_sign), *((columns[tensor], 1.0) for columns in column_of)]
        self._rows.add(terms, np.full(len(tensor), -constant - made_constant))

    # --- rows --------------------------------------------------------------------------------------------------

    def _quantity(self, weights: Weights) -> tuple[Ints, Floats, float]:
        """A quantity as columns, their values and a constant."""
        units = self._nodes[:-2]
        columns, values, constant = [], [], 0.0
        for device in range(self._arrays.devices):
            column, sign, one = self._on(units, device, 1.0)
            paid = np.where(self._arrays.allowed[:-2, device], weights.unit[:-2, device], 0.0)
            columns.append(column)
            values.append(sign * paid)
            constant += one * float(paid.sum())
        for (home, device), (tensors, moves) in self._moves.items():
            columns.append(moves)
            values.append(weights.transfer[tensors, home, device])
        if weights.launch.any():
            columns.append(self._add_launches(weights.launch))
            values.append(np.ones(1))
        return np.concatenate(columns), np.concatenate(values), constant

    def _add_launches(self, launch: Floats) -> Ints:
        """Columns and rows of h; returns the column of the largest."""
        arrays = self._arrays
        source, target = arrays.edge_source, arrays.edge_target
        height, largest = self._column(len(self._nodes)), self._column(1)
        root = np.array([arrays.root])
        first: list[tuple[Ints, float | Floats]] = [(height[root], 1.0)]
        constant = 0.0
        for device in range(arrays.devices):
            column, sign, one = self._on(root, device, -launch[device])
            first.append((column, sign))
            constant += one
        self._rows.add(first, np.array([-constant]))
        switches: list[tuple[Ints, float | Floats]] = [(height[target], 1.0), (height[source], -1.0)]
        for device in range(arrays.devices):
            entered = self._on(target, device, -1.0)
            left = self._on(source, device, 1.0)
            if self._two:
                terms = [*switches, (entered[0], entered[1] * launch[device]), (left[0], left[1] * launch[device])]
                self._rows.add(terms, np.zeros(len(source)))
            elif launch[device] > 0:
                switch = self._column(len(source), 1.0)
                self._rows.add([(switch, 1.0), entered[:2], left[:2]], np.zeros(len(source)))
                switches.append((switch, -launch[device]))
        if not self._two:
            self._rows.add(switches, np.zeros(len(source)))
        ends = np.setdiff1d(np.arange(arrays.units), source)
        self._rows.add([(np.repeat(largest, len(ends)), 1.0), (height[ends], -1.0)], np.zeros(len(ends)))
        return largest

    def _add_goal(self, weights: Weights) -> None:
        columns, values, constant = self._quantity(weights)
        if self._goal is None:
            self._cost.append((columns, values))
            self._constant = constant
        else:
            self._rows.add_one(np.concatenate([self._goal, columns]), np.concatenate([np.ones(1), -values]), constant)
            self._cost = [(self._goal, np.ones(1))]

    # --- the whole ---------------------------------------------------------------------------------------------

    def assemble(self) -> tuple[Floats, float, LinearConstraint, Bounds, Ints]:
        """The arguments of SciPy's solver."""
        cost = np.zeros(self._columns)
        for where, amount in self._cost:
            np.add.at(cost, where, amount)
        whole = np.zeros(self._columns, np.int64)
        whole[self._place.ravel()] = 1
        rows = self._rows.constraint(self._columns)
        return cost, self._constant, rows, Bounds(np.concatenate(self._lower), np.concatenate(self._upper)), whole

    def labels(self, values: Floats) -> Ints:
        """The device of every node in a solution."""
        if self._two:  # the bounds of the columns keep to what is allowed
            return np.asarray(values[self._place] > 0.5, np.int64)
        share = np.where(self._arrays.allowed, values[self._place], -1.0)
        return np.asarray(share.argmax(axis=1), np.int64)
