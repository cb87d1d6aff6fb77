"""Matrix products as TFLite."""

from dataclasses import replace
from typing import Final

from dovetail.lowering.tflite.form import Form, LiteTensor, NoFormError, single
from dovetail.lowering.tflite.tensors import arranged, given, input_of, output_of, plain
from dovetail.targets import OperatorView, TensorView
from dovetail.targets.facts import attribute_of, dims_of

_MATRIX: Final = 2


def gemm(op: OperatorView) -> Form:
    """FULLY_CONNECTED, whose weights lie as outputs by inputs."""
    if attribute_of(op, "transA") or attribute_of(op, "alpha") != 1 or attribute_of(op, "beta") != 1:
        raise NoFormError("TFLite's FULLY_CONNECTED has neither transA nor factors")
    weights = input_of(op, 1)
    if weights.constant is None and not attribute_of(op, "transB"):
        raise NoFormError("TFLite's FULLY_CONNECTED has weights of outputs by inputs, these are no constant")
    order = None if attribute_of(op, "transB") else (1, 0)
    matrix = arranged(weights, _MATRIX, 0, order)
    bias = given(op, 2)
    inputs = [plain(input_of(op, 0)), matrix, *([] if bias is None else [_bias(bias, matrix.shape[0])])]
    return (single("FULLY_CONNECTED", inputs, plain(output_of(op)), "FullyConnectedOptions"),)


def _bias(bias: TensorView, outputs: int) -> LiteTensor:
    """A row of one number an output; ONNX may write it as a matrix of one row."""
    tensor = plain(bias)
    if tensor.shape not in ((outputs,), (1, outputs)):
        raise NoFormError(f"TFLite's bias has one number an output, got {tensor.shape}")
    data = None if tensor.data is None else tensor.data.reshape(outputs)
    return replace(tensor, shape=(outputs,), data=data)


def matmul(op: OperatorView) -> Form:
    """FULLY_CONNECTED where the right side is a constant matrix, else BATCH_MATMUL."""
    left, right, result = input_of(op, 0), input_of(op, 1), output_of(op)
    if min(len(dims_of(left)), len(dims_of(right))) < _MATRIX:
        raise NoFormError("TFLite multiplies no vectors")
    if right.constant is not None and len(dims_of(right)) == _MATRIX:
        inputs = [plain(left), arranged(right, _MATRIX, 0, (1, 0))]
        keep = int(len(dims_of(result)) > _MATRIX)
        return (single("FULLY_CONNECTED", inputs, plain(result), "FullyConnectedOptions", KeepNumDims=keep),)
    return (single("BATCH_MATMUL", [plain(left), plain(right)], plain(result), "BatchMatMulOptions"),)
