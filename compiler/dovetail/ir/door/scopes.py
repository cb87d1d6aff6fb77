"""Values: each defined once, each that is read defined somewhere, and no node that waits for itself."""

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from onnx import FunctionProto, GraphProto, NodeProto

from dovetail.ir.door.blocks import subgraphs
from dovetail.ir.door.names import node_label
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

_SHOWN_NODES = 5


def check_scope(body: GraphProto | FunctionProto, where: str) -> None:
    """Refuse undefined and twice defined values, and cycles, in a graph and all bodies in it.

    Nodes that are merely out of order are accepted. Linear in nodes and uses for each level of nesting;
    recursive over bodies only, whose depth is bounded before.
    """
    for name, user in _check_body(body, where).items():
        raise ModelError(f"{user}: reads the value {shown(name)}, which nothing defines; export the model again")


def _check_body(body: GraphProto | FunctionProto, where: str) -> dict[str, str]:
    """Check one body. Returns the outer values that it reads, each with the label of a reader."""
    producers = _producers(body, where)
    free: dict[str, str] = {}
    reads: list[set[int]] = []
    for index, node in enumerate(body.node):
        sources: set[int] = set()
        for name, user in _uses(node, index, where):
            if name not in producers:
                free.setdefault(name, user or node_label(node, index, where))
            elif (source := producers[name]) is not None:
                sources.add(source)
        reads.append(sources)
    _check_acyclic(body, reads, where)
    _check_outputs(body, producers, where)
    return free


def _producers(body: GraphProto | FunctionProto, where: str) -> dict[str, int | None]:
    """The index of the node that makes each value of a body; None for inputs and initializers."""
    producers: dict[str, int | None] = {}
    for name in _input_names(body):
        if name in producers:
            raise ModelError(f"input {shown(name)}{where}: is declared twice; rename one of them")
        producers[name] = None
    if isinstance(body, GraphProto):
        _add_initializers(body, producers, where)
    for index, node in enumerate(body.node):
        for name in node.output:
            if not name:
                continue
            if name in producers:
                raise ModelError(
                    f"{node_label(node, index, where)}: defines the value {shown(name)}, which is defined "
                    "already; rename one of them"
                )
            producers[name] = index
    return producers


def _add_initializers(graph: GraphProto, producers: dict[str, int | None], where: str) -> None:
    seen = set()
    for tensor in graph.initializer:
        if tensor.name in seen:
            raise ModelError(f"initializer {shown(tensor.name)}{where}: is defined twice; keep one of them")
        seen.add(tensor.name)
        producers[tensor.name] = None


def _uses(node: NodeProto, index: int, where: str) -> Iterator[tuple[str, str]]:
    """Each value that a node reads, itself or in its bodies; and the reader's label if it is another."""
    for name in node.input:
        if name:
            yield name, ""
    if node.attribute:
        inner = f" in a body of {node_label(node, index, '')}"
        for graph in subgraphs(node):
            yield from _check_body(graph, inner).items()


def _check_outputs(body: GraphProto | FunctionProto, producers: dict[str, int | None], where: str) -> None:
    for name in _output_names(body):
        if name not in producers:
            raise ModelError(
                f"output {shown(name)}{where}: nothing in this graph defines it; export the model again "
                "(a value from outside a body needs an Identity)"
            )


def _input_names(body: GraphProto | FunctionProto) -> Iterable[str]:
    return body.input if isinstance(body, FunctionProto) else [info.name for info in body.input]


def _output_names(body: GraphProto | FunctionProto) -> Iterable[str]:
    return body.output if isinstance(body, FunctionProto) else [info.name for info in body.output]


def _check_acyclic(body: GraphProto | FunctionProto, reads: list[set[int]], where: str) -> None:
    """Refuse a cycle; most files are in order already and end at the first test."""
    if all(source < index for index, sources in enumerate(reads) for source in sources):
        return
    try:
        TopologicalSorter(dict(enumerate(reads))).prepare()
    except CycleError as problem:
        cycle: list[int] = problem.args[1][:-1]
        names = [node_label(body.node[index], index, "") for index in cycle[:_SHOWN_NODES]]
        raise ModelError(
            f"{names[0]}{where}: waits for its own output, in a cycle of {len(cycle)} nodes "
            f"({', '.join(names)}); export the model again"
        ) from problem
