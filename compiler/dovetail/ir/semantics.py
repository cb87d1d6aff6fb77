"""What every tool lets through although no runtime can run it: refused here, by the node's name.

The rules of an operator are small functions in `dovetail.ir.door.rules`; the two tables say which apply when. A
rule that needs what is not known, such as a symbolic size, lets the node pass.
"""

from collections.abc import Callable, Mapping

import onnx_ir

from dovetail.ir.door import rules
from dovetail.ir.door.rules.shapes import SHAPE_INPUTS
from dovetail.ir.infer import KEPT_ELEMENTS
from dovetail.ir.names import all_nodes

Rule = Callable[[rules.Operator], None]

_POOLS = ("AveragePool", "LpPool", "MaxPool")
_CONVS = ("Conv", "ConvInteger", "DeformConv", "QLinearConv")
_AXIS_OPS = (
    "ArgMax",
    "ArgMin",
    "Concat",
    "Flatten",
    "Hardmax",
    "LayerNormalization",
    "LogSoftmax",
    "ScatterElements",
    "Softmax",
    "Split",
    "TopK",
)

BEFORE_INFERENCE: Mapping[str, Rule] = {
    **dict.fromkeys(SHAPE_INPUTS, rules.check_shape_vectors),
    **dict.fromkeys((*_CONVS, "ConvTranspose", *_POOLS), rules.check_windows),
    "Gemm": rules.check_gemm_ranks,
    "Split": rules.check_split,
    "If": rules.check_if,
    "Loop": rules.check_loop,
    "Scan": rules.check_scan,
}
"""Rules that native shape inference takes for granted: it crashes, hangs or allocates without them."""

AFTER_INFERENCE: Mapping[str, Rule] = {
    **dict.fromkeys(_AXIS_OPS, rules.check_axis),
    **dict.fromkeys(_CONVS, rules.check_conv),
    **dict.fromkeys(_POOLS, rules.check_pool),
    **dict.fromkeys(("Div", "Mod"), rules.check_integer_division),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), rules.check_quantization),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), rules.check_recurrent),
    "ConvTranspose": rules.check_conv_transpose,
    "Gather": rules.check_gather,
    "GatherElements": rules.check_gather_elements,
    "GatherND": rules.check_gather_nd,
    "Gemm": rules.check_gemm_bias,
    "PRelu": rules.check_slope,
    "Reshape": rules.check_reshape,
}
"""Rules on sizes and constants, once inference has filled them in. They rely on the rules of the other table."""


def check_before_inference(model: onnx_ir.Model) -> None:
    """Refuse what native shape inference would crash on, overflow on or allocate for.

    Args:
        model: A model that came through `dovetail.ir.door.open_model`, with its functions inlined.

    Raises:
        ModelError: One line that names the node and the rule.
    """
    _check(model, BEFORE_INFERENCE)
    rules.check_growth(all_nodes(model.graph), KEPT_ELEMENTS, model.opset_imports.get("", 1))


def check_semantics(model: onnx_ir.Model) -> None:
    """Refuse nodes that contradict the shapes, types and constants around them, in all bodies.

    Args:
        model: A model after shape inference.

    Raises:
        ModelError: One line that names the node and the rule.
    """
    _check(model, BEFORE_INFERENCE)  # again: more ranks are known now
    _check(model, AFTER_INFERENCE)


def _check(model: onnx_ir.Model, table: Mapping[str, Rule]) -> None:
    version = model.opset_imports.get("", 1)
    for node in all_nodes(model.graph):
        rule = table.get(node.op_type) if node.domain == "" else None
        if rule is not None:
            rule(rules.Operator(node, version))
