"""A model as transformers are: blocks with residuals, and one tensor, the mask, that every block reads."""

from pathlib import Path

BLOCK = 13
"""Operators of a block."""
_WIDTH = 256
_LENGTH = 128


def build(nodes: int, path: Path, erf_every: int = 12) -> None:
    """Write a model of about so many operators.

    Args:
        nodes: at least those of one block.
        path: where to.
        erf_every: blocks from one whose activation is an Erf, which few NPUs take, to the next; the others have a Relu.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = (0.05 * np.sin(np.arange(_WIDTH * _WIDTH))).astype(np.float32).reshape(_WIDTH, _WIDTH)
    scale = np.array([0.125], np.float32)
    made: list[onnx.NodeProto] = []
    source = "x"
    for block in range(-(-nodes // BLOCK)):
        source = _block(made, f"layer.{block}", source, "Erf" if block % erf_every == erf_every - 1 else "Relu")
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _LENGTH, _WIDTH]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, _LENGTH, _LENGTH]),
        helper.make_tensor_value_info(source, TensorProto.FLOAT, [1, _LENGTH, _WIDTH]),
    ]
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(scale, "scale")]
    graph = helper.make_graph(made, "mask", ends[:2], ends[2:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _block(made: "list[object]", name: str, source: str, activation: str) -> str:
    from onnx import helper

    def node(op_type: str, inputs: list[str], short: str, **attributes: object) -> str:
        made.append(helper.make_node(op_type, inputs, [f"{name}.{short}_out"], f"{name}.{short}", **attributes))
        return f"{name}.{short}_out"

    query, key, value = (node("MatMul", [source, "w"], short) for short in ("query", "key", "value"))
    turned = node("Transpose", [key], "turn", perm=[0, 2, 1])
    scores = node("Mul", [node("MatMul", [query, turned], "scores"), "scale"], "scale")
    weights = node("Softmax", [node("Add", [scores, "mask"], "mask")], "softmax", axis=-1)
    attended = node("MatMul", [node("MatMul", [weights, value], "mix"), "w"], "project")
    middle = node("Add", [attended, source], "residual")
    grown = node(activation, [node("MatMul", [middle, "w"], "grow")], "activation")
    return node("Add", [node("MatMul", [grown, "w"], "shrink"), middle], "out")
