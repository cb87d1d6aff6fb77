"""Time of partitioning and of its verification by graph size: `python benchmarks/partition_scaling.py`.

Two devices, 10 % of the units on the second. Shapes: a chain; one unit that feeds all others; random local
edges, two inputs for each unit. The best of three runs, in milliseconds; the garbage collector stays on.
"""

import random
import time
from collections.abc import Callable

from dovetail.partition import Placement, Problem, greedy, phases, verify_partitions

SIZES = (1_000, 10_000, 100_000)
RUNS = 3


def chain(units: int) -> list[tuple[int, int]]:
    return [(unit, unit + 1) for unit in range(units - 1)]


def wide(units: int) -> list[tuple[int, int]]:
    return [(0, unit) for unit in range(1, units)]


def local(units: int) -> list[tuple[int, int]]:
    draw = random.Random(1)
    return sorted({(draw.randrange(max(0, unit - 50), unit), unit) for unit in range(1, units) for _ in range(2)})


def make_problem(edges: list[tuple[int, int]], units: int) -> Problem:
    draw = random.Random(2)
    return Problem(
        devices=("npu", "cpu"),
        names=tuple(f"unit{unit}" for unit in range(units)),
        allowed=tuple((draw.random() >= 0.1, True) for _ in range(units)),
        edges=tuple(edges),
        sizes=(1,) * units,
        pins={},
        limits={},
    )


def best_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def print_row(shape: str, problem: Problem) -> None:
    placement: Placement = greedy.place(problem)
    partitions = phases.partition(problem, placement)
    partition_ms = best_ms(lambda: phases.partition(problem, placement))
    verify_ms = best_ms(lambda: verify_partitions(problem, placement, partitions))
    print(
        f"{shape:8}{len(problem.names):>9}{len(problem.edges):>9}{len(partitions):>12}"
        f"{partition_ms:>14.1f}{verify_ms:>11.1f}"
    )


def main() -> None:
    print(f"{'shape':8}{'units':>9}{'edges':>9}{'partitions':>12}{'partition ms':>14}{'verify ms':>11}")
    for shape, make_edges in (("chain", chain), ("wide", wide), ("local", local)):
        for units in SIZES:
            print_row(shape, make_problem(make_edges(units), units))


if __name__ == "__main__":
    main()
