"""Columns and rows for HiGHS, and its answer."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from dovetail.partition.arrays import Floats, Ints

_MEAN_COST = 25.0
"""What a column costs on average when scaled; HiGHS has absolute tolerances, and took ten times as long at 0.3."""
_TOLERANCE = 1e-6
"""What HiGHS may be off by in each column of a scaled program, with room: it matters where costs lie far apart."""
_DUAL_TOLERANCE = 1e-7
"""What it is content with in a reduced cost, which counts as often as a column is wide."""


class Rows:
    """Rows `sum of value * column >= low`, collected."""

    def __init__(self) -> None:
        """None yet."""
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._low: list[Floats] = []
        self._count = 0

    def add(self, terms: Sequence[tuple[Ints, float | Floats]], low: Floats) -> None:
        """A row for each of `low`, with a column of each term; a column of -1 is left out."""
        numbers = np.arange(self._count, self._count + len(low))
        for columns, values in terms:
            real = columns >= 0
            self._entries.append((numbers[real], columns[real], np.broadcast_to(values, len(low))[real]))
        self._low.append(low)
        self._count += len(low)

    def add_one(self, columns: Ints, values: Floats, low: float) -> None:
        """A single row of many columns."""
        self._entries.append((np.full(len(columns), self._count), columns, values))
        self._low.append(np.array([low]))
        self._count += 1

    def constraint(self, columns: int) -> LinearConstraint:
        """All rows, over so many columns."""
        rows, places, values = (np.concatenate([entry[part] for entry in self._entries]) for part in range(3))
        matrix = csr_array((values, (rows, places)), (self._count, columns))
        return LinearConstraint(matrix, np.concatenate(self._low), np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What HiGHS says of columns and rows."""

    values: Floats | None
    bound: float
    """Minus infinity where it has none."""
    solved: bool
    infeasible: bool
    timed_out: bool


def solve_rows(cost: Floats, rows: LinearConstraint, bounds: Bounds, whole: Ints, gap: float, left: float) -> Answer:
    """Make the cost of columns smallest; scaled, as HiGHS has absolute tolerances.

    Args:
        cost: of each column.
        rows: what they keep.
        bounds: of each column.
        whole: 1 for columns that are whole numbers.
        gap: relative gap at which HiGHS may stop.
        left: seconds after which it must.
    """
    total = float(np.abs(cost).sum())
    scale = _MEAN_COST * np.count_nonzero(cost) / total if total > 0 else 1.0
    with _stdout_put_aside():
        result = milp(
            cost * scale,
            constraints=rows,
            bounds=bounds,
            integrality=whole,
            options={"time_limit": left, "mip_rel_gap": gap},
        )
    found = result.mip_dual_bound if whole.any() else result.fun
    has_bound = found is not None and result.status != 3
    width = np.broadcast_to(bounds.ub, len(cost))
    error = _TOLERANCE * len(cost) + _DUAL_TOLERANCE * float(width[np.isfinite(width)].sum())
    bound = (found - error) / scale if has_bound else -np.inf
    return Answer(result.x, float(bound), result.status == 0, result.status == 2, result.status == 1)


@contextlib.contextmanager
def _stdout_put_aside() -> Iterator[None]:
    """HiGHS prints a line of its own wherever it repairs a solution, whatever its options say: not among our output."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # the process has no stdout
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
