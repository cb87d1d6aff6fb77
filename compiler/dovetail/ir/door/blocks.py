"""The one walk over a model file: every graph and function body in it, without recursion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from dovetail.ir.door.budgets import MAX_NODES, MAX_SUBGRAPH_DEPTH
from dovetail.ir.door.names import function_label, node_label
from dovetail.plan.errors import ModelError

FunctionKey = tuple[str, str, str]
"""Domain, name and overload of a model-local function, or of the operator that calls it."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A graph or a function body."""

    body: GraphProto | FunctionProto
    where: str
    """The end of every label in it: empty at the top, ` in function 'f'`, ` in a body of node 'i' (If)`."""
    function: FunctionProto | None
    """The function that it belongs to, however deep; None in the graph of the model."""
    depth: int
    """Bodies around it."""

    @property
    def is_main(self) -> bool:
        """Whether it is the graph of the model."""
        return self.depth == 0 and self.function is None


def collect_blocks(model: ModelProto) -> list[Block]:
    """Every block of the model, outer before inner; training graphs are left out.

    Raises:
        ModelError: If there are more nodes or deeper bodies than the budgets allow.
    """
    return _collect(_roots(model))


def training_blocks(model: ModelProto) -> list[Block]:
    """The graphs of `training_info`, which nothing here runs but libraries load."""
    graphs = [graph for info in model.training_info for graph in (info.initialization, info.algorithm)]
    return _collect([Block(graph, " in training_info", None, 0) for graph in graphs])


def function_key(function: FunctionProto) -> FunctionKey:
    """The key of a function."""
    return (function.domain, function.name, function.overload)


def call_key(node: NodeProto) -> FunctionKey:
    """The key of the function that a node calls, if there is one."""
    return (node.domain, node.op_type, node.overload)


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The bodies in a node's attributes, whatever type the attributes claim to have."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _roots(model: ModelProto) -> list[Block]:
    functions = [Block(f, f" in {function_label(f)}", f, 0) for f in model.functions]
    return [Block(model.graph, "", None, 0), *functions]


def _collect(blocks: list[Block]) -> list[Block]:
    nodes = 0
    for block in blocks:  # grows while it is walked
        nodes += len(block.body.node)
        if nodes > MAX_NODES:
            raise ModelError(f"model: has more than {MAX_NODES} nodes{block.where}; split it")
        if block.depth > MAX_SUBGRAPH_DEPTH:
            raise ModelError(f"model: bodies are nested more than {MAX_SUBGRAPH_DEPTH} deep{block.where}; flatten it")
        blocks.extend(_inner(block, block.body.node))
    return blocks


def _inner(block: Block, nodes: Sequence[NodeProto]) -> Iterator[Block]:
    for index, node in enumerate(nodes):
        if not node.attribute:
            continue
        for graph in subgraphs(node):
            where = f" in a body of {node_label(node, index, '')}"
            yield Block(graph, where, block.function, block.depth + 1)
