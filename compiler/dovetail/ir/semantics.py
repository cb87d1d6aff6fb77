"""What every tool lets through although no runtime can run it: refused here, by name."""

import onnx_ir


def check_before_inference(model: onnx_ir.Model) -> None:
    """Refuse what native shape inference would crash on, overflow on or allocate for."""


def check_semantics(model: onnx_ir.Model) -> None:
    """Refuse nodes that contradict the shapes, types and constants of a model after shape inference."""
