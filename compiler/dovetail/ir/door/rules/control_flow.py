"""Bodies of If, Loop and Scan have the inputs and outputs that their node gives and takes."""

import onnx_ir

from dovetail.ir.door.rules.operator import Operator

_LOOP_HEAD = 2
"""Trip count and condition, before the values that a Loop carries."""


def check_if(op: Operator) -> None:
    """Both branches take no inputs and give the node's outputs."""
    for name in ("then_branch", "else_branch"):
        body = _body(op, name)
        if body.inputs:
            op.refuse(f"{name} must have no inputs", len(body.inputs))
        if len(body.outputs) != len(op.node.outputs):
            op.refuse(f"{name} must have {len(op.node.outputs)} outputs", len(body.outputs))


def check_loop(op: Operator) -> None:
    """The body takes iteration, condition and carried values; it gives condition, these, and what it collects."""
    body = _body(op, "body")
    carried = max(len(op.node.inputs) - _LOOP_HEAD, 0)
    if len(body.inputs) != _LOOP_HEAD + carried:
        op.refuse(f"its body must have {_LOOP_HEAD + carried} inputs", len(body.inputs))
    if len(body.outputs) < 1 + max(carried, len(op.node.outputs)):
        op.refuse(f"its body must have at least {1 + max(carried, len(op.node.outputs))} outputs", len(body.outputs))


def check_scan(op: Operator) -> None:
    """The body takes the node's inputs and gives its outputs."""
    body = _body(op, "body")
    scanned = op.integer("num_scan_inputs", 0)
    if not 1 <= scanned <= len(op.node.inputs):
        op.refuse(f"num_scan_inputs must be in [1, {len(op.node.inputs)}]", scanned)
    # version 8 has an input for sequence lengths before the others
    inputs = {len(op.node.inputs), len(op.node.inputs) - 1} if op.version == 8 else {len(op.node.inputs)}
    if len(body.inputs) not in inputs:
        op.refuse(f"its body must have {len(op.node.inputs)} inputs", len(body.inputs))
    if len(body.outputs) < len(op.node.outputs):
        op.refuse(f"its body must have {len(op.node.outputs)} outputs", len(body.outputs))


def _body(op: Operator, name: str) -> onnx_ir.Graph:
    return op.node.attributes[name].as_graph()
