"""Time and quality of the layout of graphs by size: `python benchmarks/graph_layout.py`.

Shapes: transformer blocks; the same with one mask that feeds every block; a chain; a wide network of random cells, each
of which reads the two before it. Layout and folding, each the best of three runs, in milliseconds, and what a node
costs beside a node of the smallest size; crossings are those of whole edges, length is in layers per whole edge,
straight is the share of whole edges that are one vertical line.
"""

import random
import time
from collections.abc import Callable
from itertools import pairwise

from dovetail.report.layout import Layout, fold_blocks, lay_out

SIZES = (1_000, 10_000, 50_000)
RUNS = 3
BOX = (120.0, 36.0)
Edges = list[tuple[int, int]]
BLOCK = [(-1, 0), (0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (4, 6), (5, 6), (6, 7), (7, 8), (3, 8), (8, 9), (9, 10)]
FEED_FORWARD = [(10, 11), (-1, 11), (11, 12), (12, 13), (13, 14), (14, 15), (15, 16), (11, 16)]


def transformer(nodes: int) -> Edges:
    length = 17
    return [
        (max(start + a, 0), start + b) for start in range(1, nodes - length, length) for a, b in [*BLOCK, *FEED_FORWARD]
    ]


def masked(nodes: int) -> Edges:
    edges = transformer(nodes - 1)
    return [*edges, *((nodes - 1, start + 7) for start in range(1, nodes - 18, 17))]


def chain(nodes: int) -> Edges:
    return list(pairwise(range(nodes)))


def cells(nodes: int) -> Edges:
    draw = random.Random(1)
    before, last, edges = 0, 1, []
    for start in range(2, nodes - 16, 16):
        values = [before, last]
        for left in range(start, start + 15, 3):
            edges += [
                (draw.choice(values), left),
                (draw.choice(values), left + 1),
                (left, left + 2),
                (left + 1, left + 2),
            ]
            values.append(left + 2)
        read = {source for source, _ in edges[-20:]}
        edges += [(value, start + 15) for value in values[2:] if value not in read]
        before, last = last, start + 15
    return edges


def crossings(layout: Layout) -> int:
    """Crossings of the pieces of whole edges between two layers."""
    gaps: dict[float, list[tuple[float, float]]] = {}
    for route in layout.routes:
        if not route.is_stub:
            for (x, _), (to, end) in pairwise(route.points):
                if x != to or len(route.points) == 2:
                    gaps.setdefault(end, []).append((x, to))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for gap in gaps.values() for place, a in enumerate(gap) for b in gap[:place]
    )


def best_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def measure(edges: Edges, nodes: int) -> tuple[float, float, Layout]:
    sizes = [BOX] * nodes
    inputs = [0] * nodes
    for _, destination in edges:
        inputs[destination] += 1
    return (
        best_ms(lambda: lay_out(sizes, edges)),
        best_ms(lambda: fold_blocks(inputs, edges)),
        lay_out(sizes, edges),
    )


def main() -> None:
    print(
        f"{'shape':13}{'nodes':>8}{'edges':>8}{'layout ms':>11}{'per node':>10}{'fold ms':>9}"
        f"{'stubs':>8}{'crossings':>11}{'length':>8}{'straight':>10}"
    )
    for name, shape in (("transformer", transformer), ("with mask", masked), ("chain", chain), ("cells", cells)):
        first = 0.0
        for nodes in SIZES:
            edges = shape(nodes)
            layout_ms, fold_ms, layout = measure(edges, nodes)
            first = first or layout_ms / nodes
            rows = {y: number for number, y in enumerate(sorted({y for _, y in layout.positions}))}
            whole = [edge for edge, route in zip(edges, layout.routes, strict=True) if not route.is_stub]
            spans = [rows[layout.positions[b][1]] - rows[layout.positions[a][1]] for a, b in whole]
            straight = sum(len({x for x, _ in route.points}) == 1 for route in layout.routes if not route.is_stub)
            print(
                f"{name:13}{nodes:>8}{len(edges):>8}{layout_ms:>11.0f}{layout_ms / nodes / first:>10.2f}{fold_ms:>9.0f}"
                f"{len(edges) - len(whole):>8}{crossings(layout):>11}{sum(spans) / len(spans):>8.2f}"
                f"{straight / len(whole):>10.0%}"
            )


if __name__ == "__main__":
    main()
