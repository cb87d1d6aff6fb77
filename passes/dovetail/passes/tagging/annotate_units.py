"""Units: which operators must stay together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import networkx as nx
import onnx_ir

from dovetail.ir import Graph, dtype_name, is_constant, read_values
from dovetail.passes.base import GraphPass
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging.tags import FusionTag, UnitTag

ACTIVATIONS = frozenset(
    {
        "Relu",
        "Clip",
        "LeakyRelu",
        "PRelu",
        "Sigmoid",
        "Tanh",
        "HardSigmoid",
        "HardSwish",
        "Elu",
        "Gelu",
        "Mish",
    }
)
FUSES_ACTIVATION = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Mul", "Sub", "MaxPool", "AveragePool"})
"""Operators that NPU compilers commonly run together with the activation behind them."""


@dataclass(frozen=True)
class AnnotateUnits(GraphPass):
    """Set a `UnitTag` on every node, and a `FusionTag` on each activation that its producer may absorb.

    A Q/DQ group is one unit: `DequantizeLinear -> operator [-> activation] -> QuantizeLinear`, with every
    DequantizeLinear that serves one of these alone and every QuantizeLinear behind them. All floats that enter it
    are constants or come through such a DequantizeLinear: no device computes in integers with floats among them.
    Nodes that hand a sequence
    or an optional to each other are one unit as well, with what lies between them: only tensors cross devices. Every
    other node is a unit of its own.

    A group is convex: its DequantizeLinear nodes have no other reader, and its QuantizeLinear nodes no other input
    than the operator's output, so no path leaves the group and comes back. O(V + E).
    """

    name: ClassVar[str] = "annotate-units"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        main: dict[str, str] = {}
        quantized: set[str] = set()
        for name in graph:
            node = graph.node(name)
            if not is_quantize(node) and not is_dequantize(node):
                _gather_group(graph, name, main, quantized)
        if _join_sequences(graph, main):
            _join_cycles(graph, main)
        numbers: dict[str, int] = {}
        for name in graph:
            leader = _leader(main, name)
            index = numbers.setdefault(leader, len(numbers))
            graph.set_tag(name, UnitTag(index, leader, leader in quantized))
            _record_fusion(graph, name)
        return False


def _leader(main: dict[str, str], name: str) -> str:
    while name in main:
        name = main[name]
    return name


def _gather_group(graph: Graph, name: str, main: dict[str, str], quantized: set[str]) -> None:
    """Point the Q/DQ nodes around an operator to it, if it stands in a group."""
    if name in main:  # an activation that a group before it took in
        return
    inner = [name]
    activation = _only_reader(graph, name)
    if activation is not None and graph.node(activation).op_type in ACTIVATIONS and _quantizers(graph, activation):
        inner.append(activation)
    sources = [
        before
        for reader in inner
        for before in dict.fromkeys(graph.nx.predecessors(reader))
        if _serves_only(graph, before, reader)
    ]
    sinks = _quantizers(graph, inner[-1])
    if not sources or not (sinks or _yields_no_floats(graph, name)) or _takes_floats(graph, inner, sources):
        return
    main.update((member, name) for member in (*sources, *inner[1:], *sinks))
    quantized.add(name)


def _yields_no_floats(graph: Graph, name: str) -> bool:
    """Whether no QuantizeLinear is needed behind an operator (ArgMax, a comparison)."""
    return not any(_is_float(value) for value in graph.node(name).outputs)


def _takes_floats(graph: Graph, inner: Sequence[str], sources: Sequence[str]) -> bool:
    """Whether floats enter the operators of a group past its DequantizeLinear nodes; constants do not count."""
    members = {graph.node(name) for name in (*inner, *sources)}
    values = [value for name in inner for value in read_values(graph.node(name))]
    return any(_is_float(value) and not is_constant(value) and value.producer() not in members for value in values)


def _is_float(value: onnx_ir.Value) -> bool:
    return (dtype_name(value) or "float").startswith(("float", "bfloat"))


def _serves_only(graph: Graph, source: str, reader: str) -> bool:
    node = graph.node(source)
    if not is_dequantize(node) or node.outputs[0].is_graph_output():
        return False
    return set(graph.nx.successors(source)) == {reader} and not _captured(graph, reader, node.outputs[0])


def _captured(graph: Graph, reader: str, value: onnx_ir.Value) -> bool:
    """Whether the reader's bodies, rather than the reader itself, read the value."""
    return value not in graph.node(reader).inputs


def _only_reader(graph: Graph, name: str) -> str | None:
    readers = set(graph.nx.successors(name))
    node = graph.node(name)
    if len(readers) != 1 or len(node.outputs) != 1 or node.outputs[0].is_graph_output():
        return None
    return readers.pop()


def _quantizers(graph: Graph, name: str) -> list[str]:
    """The QuantizeLinear nodes behind an operator, if nothing else reads its outputs."""
    readers = list(dict.fromkeys(graph.nx.successors(name)))
    node = graph.node(name)
    if any(value.is_graph_output() for value in node.outputs):
        return []
    if not all(is_quantize(graph.node(r)) and set(graph.nx.predecessors(r)) == {name} for r in readers):
        return []
    return readers


def _join_sequences(graph: Graph, main: dict[str, str]) -> bool:
    joined = False
    for before, after, data in graph.nx.edges(data=True):
        if dtype_name(data["value"]) in ("sequence", "optional"):
            first, second = _leader(main, before), _leader(main, after)
            if first != second:
                main[second] = first
                joined = True
    return joined


def _join_cycles(graph: Graph, main: dict[str, str]) -> None:
    """Take in what a tensor passes through on its way out of a sequence and back into it. O(V + E)."""
    units: nx.DiGraph[str] = nx.DiGraph()
    units.add_edges_from((_leader(main, before), _leader(main, after)) for before, after in graph.nx.edges())
    position = {name: number for number, name in enumerate(graph)}
    for cycle in [each for each in nx.strongly_connected_components(units) if len(each) > 1]:
        first, *others = sorted(cycle, key=position.__getitem__)
        main.update((other, first) for other in others)


def _record_fusion(graph: Graph, name: str) -> None:
    if graph.node(name).op_type not in ACTIVATIONS:
        return
    for before in dict.fromkeys(graph.nx.predecessors(name)):
        if graph.node(before).op_type in FUSES_ACTIVATION and _only_reader(graph, before) == name:
            graph.set_tag(name, FusionTag(before))
