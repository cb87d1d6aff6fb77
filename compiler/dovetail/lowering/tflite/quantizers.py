"""QuantizeLinear and DequantizeLinear as TFLite."""

from dataclasses import replace

from dovetail.lowering.tflite.form import Form, LiteTensor, NoFormError, single
from dovetail.lowering.tflite.tensors import given, input_of, output_of, plain
from dovetail.targets import OperatorView
from dovetail.targets.facts import constant_of


def quantize(op: OperatorView) -> Form:
    """QUANTIZE, from floats."""
    result = _quantized(op, plain(output_of(op)))
    return (single("QUANTIZE", [plain(input_of(op, 0))], result, "QuantizeOptions"),)


def dequantize(op: OperatorView) -> Form:
    """DEQUANTIZE, to floats."""
    source = _quantized(op, plain(input_of(op, 0)))
    return (single("DEQUANTIZE", [source], plain(output_of(op)), "DequantizeOptions"),)


def _quantized(op: OperatorView, tensor: LiteTensor) -> LiteTensor:
    scale, zero = constant_of(input_of(op, 1)), given(op, 2)
    if scale.size != 1:
        raise NoFormError("activations with several scales are not written")
    return replace(
        tensor,
        scale=(float(scale.reshape(-1)[0]),),
        zero_point=(0 if zero is None else int(constant_of(zero).reshape(-1)[0]),),
    )
