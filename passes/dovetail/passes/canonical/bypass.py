"""Taking a node that hands its input on out of a graph."""

import onnx_ir


def bypass(node: onnx_ir.Node) -> bool:
    """Let the readers of a node's first output read its first input, and remove the node. Returns whether it did.

    It can't where the output is an output of its graph and the input can't take that place: it comes from an outer
    graph, is an input, a constant or already an output. onnx-ir's own pass fails on the first of these, which real
    models have (an If inside an If whose branch hands an outer value on).
    """
    source, output, graph = node.inputs[0], node.outputs[0], node.graph
    if source is None or graph is None:
        return False
    if output.is_graph_output():
        producer = source.producer()
        if producer is None or producer.graph is not graph or source.is_graph_output():
            return False
        if list(graph.outputs).count(output) != 1:
            return False
        _take_output(graph, source, output)
    if source.type is None:
        source.type = output.type
    if source.shape is None:
        source.shape = output.shape
    output.replace_all_uses_with(source)
    graph.remove(node, safe=True)
    return True


def _take_output(graph: onnx_ir.Graph, source: onnx_ir.Value, output: onnx_ir.Value) -> None:
    """The model's outputs keep their names, so it is the source that is renamed."""
    position = list(graph.outputs).index(output)
    graph.outputs[position] = source
    name = output.name
    output.name = f"{name}_bypassed"
    source.name = name
