"""A topological order in which the nodes of a block stand together, and repeated blocks in the same inner order."""

from dovetail.report.layout.layers import depth_first

_FAR = 16


def block_order(up: list[list[int]], down: list[list[int]]) -> list[int]:
    """The nodes, producers first, each as late as its first consumer allows.

    A node is written when something needs it, after all that it needs itself, so what makes up one block is contiguous
    whatever the numbering. What is needed far below (a mask, an encoder's output) comes before all that starts near it,
    or it would stand in the middle of the first block that reads it. Linear but for sorting.

    Raises:
        ValueError: the edges hold a cycle.
    """
    order = depth_first(up, down)
    levels = _levels(order, up, down)
    reach = [max([levels[w] for w in below], default=levels[node]) - levels[node] for node, below in enumerate(down)]
    far = max(_FAR, (max(levels, default=0) - min(levels, default=0)) // 4)
    roots = [node for node, below in enumerate(down) if len(below) != 1]
    roots.sort(key=lambda node: (reach[node] <= far, levels[node], node))
    written = [False] * len(order)
    found: list[int] = []
    for root in roots:
        _write_needed(root, up, written, found)
    return found


def _levels(order: list[int], up: list[list[int]], down: list[list[int]]) -> list[int]:
    """How deep each node is; one that is needed stands right above the first that needs it."""
    levels = [0] * len(order)
    for node in order:
        levels[node] = max([levels[u] for u in up[node]], default=-1) + 1
    for node in reversed(order):
        if down[node]:
            levels[node] = min([levels[w] for w in down[node]]) - 1
    return levels


def _write_needed(root: int, up: list[list[int]], written: list[bool], found: list[int]) -> None:
    if written[root]:
        return
    written[root] = True
    stack = [(root, iter(up[root]))]
    while stack:
        node, needed = stack[-1]
        for above in needed:
            if not written[above]:
                written[above] = True
                stack.append((above, iter(up[above])))
                break
        else:
            found.append(node)
            stack.pop()
