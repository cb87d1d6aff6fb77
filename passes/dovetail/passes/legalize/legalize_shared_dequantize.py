"""One DequantizeLinear for each reader, as the Q/DQ format of NPU compilers wants it."""

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir

from dovetail.ir import COPY_OF, Graph, unique_name
from dovetail.passes.base import GraphPass
from dovetail.passes.quantize import is_dequantize


@dataclass(frozen=True)
class LegalizeSharedDequantize(GraphPass):
    """`x -> DequantizeLinear -> a, b` becomes `x -> DequantizeLinear -> a` and `x -> DequantizeLinear' -> b`.

    A reader and its DequantizeLinear can then stay together in one unit, and what crosses devices is the quantized
    tensor. Outputs of the model and readers in bodies keep the original. It does not fire where one reader has all
    uses.
    """

    name: ClassVar[str] = "legalize-shared-dequantize"

    def run(self, graph: Graph) -> bool:
        """See `GraphPass.run`."""
        return graph.rewrite(self.name, _legalize)


def _legalize(model: onnx_ir.Model) -> bool:
    changed = False
    taken = {str(value.name) for node in model.graph.all_nodes() for value in node.outputs}
    taken.update(model.graph.initializers, (str(value.name) for value in model.graph.inputs))
    for node in list(model.graph):
        if is_dequantize(node):
            changed |= _split(model.graph, node, taken)
    return changed


def _split(graph: onnx_ir.Graph, node: onnx_ir.Node, taken: set[str]) -> bool:
    value = node.outputs[0]
    readers = [reader for reader in dict.fromkeys(value.consumers()) if reader.graph is graph]
    keeps_one = not value.is_graph_output() and len(readers) == len(set(value.consumers()))
    behind, numbers = node, dict[str, int]()
    for reader in readers[1:] if keeps_one else readers:
        copy = onnx_ir.Node(
            node.domain,
            node.op_type,
            inputs=node.inputs,
            attributes=list(node.attributes.values()),
        )
        copy.meta[COPY_OF] = str(node.name)
        copy.outputs[0].name = unique_name(str(value.name), taken, numbers)
        copy.outputs[0].type, copy.outputs[0].shape = value.type, value.shape
        graph.insert_after(behind, copy)
        behind = copy
        for index, read in enumerate(reader.inputs):
            if read is value:
                reader.replace_input_with(index, copy.outputs[0])
    return bool(readers[1:] if keeps_one else readers)
