"""Running passes: a list and one callback."""

from collections.abc import Callable, Sequence

from dovetail.ir import Graph, infer
from dovetail.passes.base import GraphPass

AfterPass = Callable[[GraphPass, Graph, bool], None]
"""Called after every pass with the pass, the graph, and whether it changed: to verify, time or print."""

MAX_ROUNDS = 4
"""Shapes that become known let more fold, and what folds makes more shapes known; real models settle in two."""


def run_passes(graph: Graph, passes: Sequence[GraphPass], after: AfterPass | None = None) -> bool:
    """Run passes once, in order. Returns whether any of them changed the graph."""
    changed = False
    for each in passes:
        modified = each.run(graph)
        changed |= modified
        if after is not None:
            after(each, graph, modified)
    return changed


def run_to_fixpoint(graph: Graph, passes: Sequence[GraphPass], after: AfterPass | None = None) -> bool:
    """Run passes until none changes anything, or `MAX_ROUNDS` times, inferring shapes in between.

    Returns whether any of them changed the graph.
    """
    changed = False
    for _ in range(MAX_ROUNDS):
        if not run_passes(graph, passes, after):
            break
        changed = True
        infer(graph.model, graph.name)
    return changed
