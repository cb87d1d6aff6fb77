"""Batches of any size on a plan that was made for some: which sizes to run, and how to cut and join for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dovetail.plan import Plan, RunError, TensorSpec, batches_of, for_batch, shown
from dovetail.runtime.feeds import Array

_MAX_ROWS: Final = 2**24
"""More in one batch is refused; the table of cheapest ways grows with it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are run together."""

    size: int
    """The batch size that runs them; rows of zeros are added where there are fewer."""
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """Without those added."""
        return self.stop - self.start


class Batching:
    """The batch sizes of a plan, and the way that each other size is run."""

    def __init__(self, plan: Plan) -> None:
        """Look at what differs between the sizes."""
        self._plans = {size: for_batch(plan, size) for size in batches_of(plan)}
        self.sizes = tuple(self._plans)
        self._costs = _costs(self._plans)
        self._batched = {spec.name for spec in plan.inputs if self._carries(spec, "inputs")}
        self._whole = {spec.name for spec in plan.outputs if not self._carries(spec, "outputs")}
        self._others = [spec.name for spec in plan.inputs if spec.name not in self._batched and self._differs(spec)]
        self._name = plan.model.name

    def size_of(self, feeds: Mapping[str, object]) -> int:
        """The rows of a batch.

        Raises:
            RunError: If inputs have different numbers of rows, or none.
        """
        found: dict[int, str] = {}
        for name in sorted(self._batched & feeds.keys()):
            shape = np.asarray(feeds[name]).shape
            if shape:
                found.setdefault(shape[0], name)
        if len(found) > 1:
            (size, first), (other, second), *_ = found.items()
            raise RunError(
                f"input {shown(second)}: dimension 0 (batch) must be {size} as in input {shown(first)}, got {other}; "
                "give both the same size"
            )
        return next(iter(found), self.sizes[0])

    def pieces(self, rows: int) -> tuple[Piece, ...]:
        """The cheapest way to run a batch, by the plan's figures.

        Raises:
            RunError: If the batch can't be cut, or is empty.
        """
        self._check(rows)
        pieces, start = [], 0
        for size in cheapest(rows, self._costs):
            pieces.append(Piece(size, start, min(rows, start + size)))
            start = pieces[-1].stop
        return tuple(pieces)

    def cut(self, feeds: Mapping[str, object], piece: Piece) -> dict[str, Array]:
        """The feeds of a piece; in place where no rows are added."""
        return {
            name: _rows(np.asarray(value), piece) if name in self._batched else np.asarray(value)
            for name, value in feeds.items()
        }

    def join(self, pieces: Sequence[Piece], results: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """The outputs of the whole batch."""
        return {
            name: np.concatenate([result[name][: piece.rows] for piece, result in zip(pieces, results, strict=True)])
            for name in results[0]
        }

    def words(self, rows: int, pieces: Sequence[Piece]) -> str:
        """What is done with a batch, for people: `batch 10 runs as 8 and 4 (2 rows added)`."""
        added = sum(piece.size - piece.rows for piece in pieces)
        runs = " and ".join(
            f"{count} x {size}" if (count := [p.size for p in pieces].count(size)) > 1 else str(size)
            for size in dict.fromkeys(piece.size for piece in pieces)
        )
        return f"batch {rows} runs as {runs}" + (f" ({added} row{'s' * (added > 1)} added)" if added else "")

    def _check(self, rows: int) -> None:
        made = f"plan of {shown(self._name)}: it was made for batch {', '.join(map(str, self.sizes))}, got {rows}"
        if not 0 < rows <= _MAX_ROWS:
            raise RunError(f"{made}; give a batch of 1 to {_MAX_ROWS} rows")
        for name in [*self._others, *sorted(self._whole)]:
            raise RunError(
                f"{made}, and {shown(name)} does not carry the batch in its first dimension, so that it can't be cut; "
                f"compile with --batch {rows}"
            )

    def _differs(self, spec: TensorSpec) -> bool:
        return len({each.shape for each in self._same(spec, "inputs")}) > 1

    def _carries(self, spec: TensorSpec, side: str) -> bool:
        """Whether a tensor's first dimension is the batch, at every size, and nothing else of it differs."""
        shapes = [each.shape for each in self._same(spec, side)]
        firsts = [shape[0] if shape else None for shape in shapes]
        rests = {shape[1:] if shape else None for shape in shapes}
        return firsts == list(self.sizes) and len(rests) == 1

    def _same(self, spec: TensorSpec, side: str) -> list[TensorSpec]:
        return [each for plan in self._plans.values() for each in getattr(plan, side) if each.name == spec.name]


def cheapest(rows: int, costs: Mapping[int, float]) -> list[int]:
    """Batch sizes whose sum is at least `rows` and whose costs are least; the largest first.

    With s the size that is cheapest per row and m the largest: among any s others there are some whose sum is a
    multiple of s, and which s replaces at no more cost. So a best way has fewer than s others, and all rows beyond
    s * m are run by s.

    Args:
        rows: At least 1.
        costs: Size -> cost of a run.
    """
    best = min(costs, key=lambda size: (costs[size] / size, size))
    repeats = max(0, rows - best * max(costs)) // best
    rest = rows - repeats * best
    least: list[tuple[float, int, int]] = [(0.0, 0, 0)]  # cost, runs, the size of the last one
    for count in range(1, rest + 1):
        least.append(
            min(
                (least[max(0, count - size)][0] + cost, least[max(0, count - size)][1] + 1, size)
                for size, cost in costs.items()
            )
        )
    found = [best] * repeats
    while rest > 0:
        size = least[rest][2]
        found.append(size)
        rest -= size
    return sorted(found, reverse=True)


def _costs(plans: Mapping[int, Plan]) -> dict[int, float]:
    """Size -> predicted milliseconds; rows where not all are predicted, so that few are added."""
    predicted = {size: plan.predicted.latency_ms for size, plan in plans.items()}
    known = {size: cost for size, cost in predicted.items() if cost is not None and cost > 0}
    return known if len(known) == len(plans) else {size: float(size) for size in plans}


def _rows(array: Array, piece: Piece) -> Array:
    rows = array[piece.start : piece.stop]
    if piece.rows == piece.size:
        return rows
    filled = np.zeros((piece.size, *array.shape[1:]), array.dtype)
    if array.dtype == object:
        filled.fill("")
    filled[: piece.rows] = rows
    return filled
