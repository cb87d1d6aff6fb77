"""Arithmetic and bytes of every node of the sample models, against the package onnx-tool.

onnx-tool adds multiply-accumulates and other operations into one number, which it calls MACs: so is `macs + ops` here.
Its MACs come from each node's own formula with the shapes of our inference, since its own inference stops at two of the
models; its bytes from the models that it can infer as a whole.
"""

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
import onnx_tool
import pytest
from onnx_tool.node import create_node

from dovetail.cost import Work, work_of
from dovetail.ir import Graph, load_model, shape_of
from dovetail.passes.tagging.views import operator_view
from dovetail.targets.facts import bytes_of

SAMPLES: Final = Path(__file__).parents[2] / "sample_models"
MODELS: Final = sorted(path.name for path in SAMPLES.glob("*.onnx"))

COUNTED_OTHERWISE: Final = {
    "BatchNormalization": "31 operations an element: it takes a root and a division for each, which nobody does at run"
    " time; here a scale and a shift",
    "Erf": "nothing there",
    "Greater": "nothing there for a scalar, which has no volume",
    "NonMaxSuppression": "nothing there",
    "Tanh": "counted twice there (ratio = 2)",
    "TopK": "nothing there",
}
NOT_INFERRED: Final = {
    "control_flow.onnx": "it has no Loop (NotImplementedError)",
    "ssd_detector.onnx": "its inference of a scalar index fails (IndexError)",
}


@dataclass
class Shaped:
    """As much of onnx-tool's Tensor as its formulas ask for."""

    shape: list[int]

    def get_shape(self) -> list[int]:
        return list(self.shape)


def works(graph: Graph) -> dict[str, Work]:
    return {str(node.name): work_of(operator_view(graph, node)) for node in graph.nodes()}


def is_static(graph: Graph, name: str) -> bool:
    node = graph.node(name)
    shapes = [shape_of(value) for value in (*node.inputs, *node.outputs) if value is not None]
    return all(shape is not None and all(isinstance(dim, int) for dim in shape) for shape in shapes)


def their_macs(graph: Graph, name: str, proto: onnx.NodeProto) -> float:
    node = graph.node(name)
    values = [[value for value in values if value is not None] for values in (node.inputs, node.outputs)]
    tensors = [[Shaped([int(str(dim)) for dim in shape_of(value) or ()]) for value in each] for each in values]
    return float(create_node(proto).profile(*tensors)[0])


@pytest.mark.parametrize("name", MODELS)
def test_the_arithmetic_of_every_node(name: str) -> None:
    graph = load_model(SAMPLES / name)
    protos = {node.name: node for node in onnx.load(SAMPLES / name).graph.node}
    compared = 0
    for node, work in works(graph).items():
        if not is_static(graph, node) or work.op_class == "control" or work.op_type in COUNTED_OTHERWISE:
            continue
        assert work.macs + work.ops == pytest.approx(their_macs(graph, node, protos[node]), rel=0.01), node
        compared += 1
    assert compared >= len(graph) // 2


@pytest.mark.parametrize("op_type", sorted(COUNTED_OTHERWISE))
def test_the_exceptions_are_needed(op_type: str) -> None:
    """As soon as onnx-tool counts one of them as we do, it is taken off the list."""
    for name in MODELS:
        graph = load_model(SAMPLES / name)
        protos = {node.name: node for node in onnx.load(SAMPLES / name).graph.node}
        for node, work in works(graph).items():
            if work.op_type != op_type:
                continue
            if not is_static(graph, node) or work.ops != pytest.approx(their_macs(graph, node, protos[node]), rel=0.01):
                return
    pytest.fail(f"{op_type} agrees everywhere")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in NOT_INFERRED])
def test_the_bytes_of_every_node(name: str) -> None:
    """onnx-tool counts what a node writes, and each constant where it is read first; for it a scalar has no bytes."""
    graph = load_model(SAMPLES / name)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        theirs = onnx_tool.loadmodel(str(SAMPLES / name)).graph
        theirs.shape_infer(None)
        theirs.profile()
    seen: set[str] = set()
    for node in graph.nodes():
        view = operator_view(graph, node)
        work = work_of(view)
        constants = {each.name: each for each in view.inputs if each is not None and each.constant is not None}
        scalars = sum(bytes_of(each.dtype or "") for each in constants.values() if each.shape == ())
        memory = theirs.nodemap[str(node.name)].memory
        if seen.isdisjoint(constants):
            assert work.bytes_weights - scalars + work.bytes_out == pytest.approx(memory, rel=0.01), node.name
        else:
            assert work.bytes_out <= memory <= work.bytes_weights + work.bytes_out, node.name
        seen.update(constants)


@pytest.mark.parametrize("name", sorted(NOT_INFERRED))
def test_what_onnx_tool_can_not_infer(name: str) -> None:
    """As soon as it can, its bytes are compared."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        graph = onnx_tool.loadmodel(str(SAMPLES / name)).graph
        with pytest.raises((NotImplementedError, IndexError)):
            graph.shape_infer(None)
