"""What every test of a pass asks: it fires once, changes no output, and keeps out of what it does not apply to."""

import onnx_ir
from tests.conftest import assert_same_outputs, model_from_text, random_feeds, run_cpu

from dovetail.ir import Graph, extract, load_model
from dovetail.passes import GraphPass


def graph_of(text: str, opset: int = 17) -> Graph:
    """The graph of a model in ONNX's text form."""
    return load_model(model_from_text(text, opset))


def after(graph_pass: GraphPass, text: str, opset: int = 17, rtol: float = 1e-5, atol: float = 1e-6) -> Graph:
    """The graph after a pass that must change it, find nothing more to do, and keep the outputs up to a tolerance."""
    model = model_from_text(text, opset)
    graph = load_model(model)
    assert graph_pass.run(graph)
    assert not graph_pass.run(graph), "the second run must find nothing to do"
    for seed in range(2):
        feeds = random_feeds(model, seed)
        got, wanted = (run_cpu(each, feeds, optimize=False) for each in (extract(graph), model))
        assert_same_outputs(got, wanted, rtol, atol)
    return graph


def leaves_alone(graph_pass: GraphPass, text: str, opset: int = 17) -> bool:
    """Whether a pass says that it changed nothing, and did not."""
    graph = graph_of(text, opset)
    before = extract(graph).SerializeToString(deterministic=True)
    return not graph_pass.run(graph) and extract(graph).SerializeToString(deterministic=True) == before


def operators(graph: Graph) -> list[str]:
    """The operators of the top graph, in order."""
    return [node.op_type for node in graph.nodes()]


def inside(graph: Graph, name: str) -> dict[str, str]:
    """The operators in the bodies of a node, by name."""
    return {str(node.name): node.op_type for node in graph.nested(name)}


def constant(graph: Graph, name: str) -> onnx_ir.TensorProtocol:
    """The tensor of an initializer."""
    tensor = graph.initializers[name].const_value
    assert tensor is not None
    return tensor
