"""Convolutions and pools as TFLite."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from dovetail.lowering.tflite.form import Form, LiteOperator, LiteTensor, NoFormError, single
from dovetail.lowering.tflite.tensors import given, image, indices, input_of, like, output_of, plain
from dovetail.targets import OperatorView
from dovetail.targets.facts import attribute_of, spatial

SAME: Final = 0
VALID: Final = 1
_OHWI: Final = (0, 2, 3, 1)
_IHWO: Final = (1, 2, 3, 0)


@dataclass(frozen=True, slots=True)
class _Window:
    """A window that moves over height and width."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    """Before and behind, for each dimension."""

    def reach(self) -> tuple[int, ...]:
        """How much the window covers."""
        return tuple((size - 1) * step + 1 for size, step in zip(self.kernel, self.dilations, strict=True))

    def same(self, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """The padding that TFLite calls SAME."""
        wanted = zip(sizes, self.reach(), self.strides, strict=True)
        totals = [max(0, (-(-size // stride) - 1) * stride + reach - size) for size, reach, stride in wanted]
        return tuple((total // 2, total - total // 2) for total in totals)

    def results(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Height and width behind it, rounded down."""
        each = zip(sizes, self.reach(), self.strides, self.pads, strict=True)
        return tuple((size + sum(pads) - reach) // stride + 1 for size, reach, stride, pads in each)


def _window(op: OperatorView) -> _Window:
    kernel, strides, dilations, pads = (spatial(op, key) for key in ("kernel_shape", "strides", "dilations", "pads"))
    count = len(kernel)
    pairs = tuple(zip(pads[:count], pads[count:], strict=True))
    if count == 1:  # a row is an image of height 1
        return _Window((1, *kernel), (1, *strides), (1, *dilations), ((0, 0), *pairs))
    return _Window(kernel, strides, dilations, pairs)


def _padded(window: _Window, source: LiteTensor, low: float | None) -> tuple[Form, LiteTensor, int]:
    """What pads the image, the padded image, and the padding of the operator itself.

    `low` is the value to pad with where that is not zero.
    """
    sizes = source.shape[1:3]
    if not any(map(any, window.pads)):
        return (), source, VALID
    if window.pads == window.same(sizes):
        return (), source, SAME
    return *_pad(window, source, low), VALID


def _pad(window: _Window, source: LiteTensor, low: float | None) -> tuple[Form, LiteTensor]:
    if min(map(min, window.pads)) < 0:
        raise NoFormError("negative padding is not written")
    rows = np.array([(0, 0), *window.pads, (0, 0)], np.int32)
    padded = like(source, [size + sum(row) for size, row in zip(source.shape, rows.tolist(), strict=True)])
    inputs = [source, LiteTensor(rows.shape, "int32", rows)]
    if low is None:
        return (single("PAD", inputs, padded, "PadOptions"),), padded
    value = replace(like(source, ()), data=np.array(low, source.dtype))
    return (single("PADV2", [*inputs, value], padded, "PadV2Options"),), padded


def conv(op: OperatorView) -> Form:
    """CONV_2D or DEPTHWISE_CONV_2D, with a PAD before it where neither SAME nor VALID says the padding."""
    source, window = image(input_of(op, 0)), _window(op)
    group, channels = attribute_of(op, "group"), source.shape[-1]
    depthwise = group == channels and channels > 1
    weights = image(input_of(op, 1), _IHWO if depthwise else _OHWI)
    before, padded, padding = _padded(window, source, None)
    bias = given(op, 2)
    inputs = [padded, weights, *([] if bias is None else [plain(bias)])]
    values = {"Padding": padding, "StrideH": window.strides[0], "StrideW": window.strides[1]}
    values |= {"DilationHFactor": window.dilations[0], "DilationWFactor": window.dilations[1]}
    result = image(output_of(op))
    if depthwise:
        values["DepthMultiplier"] = weights.shape[-1] // channels
        return *before, single("DEPTHWISE_CONV_2D", inputs, result, "DepthwiseConv2DOptions", **values)
    return *before, single("CONV_2D", inputs, result, "Conv2DOptions", **values)


def conv_transpose(op: OperatorView) -> Form:
    """TRANSPOSE_CONV, with a SLICE behind it where ONNX crops another part than TFLite."""
    source, window, result = image(input_of(op, 0)), _window(op), image(output_of(op))
    if attribute_of(op, "group") != 1 or max(window.dilations) > 1:
        raise NoFormError("TFLite's transposed convolution has neither groups nor dilations")
    weights = image(input_of(op, 1), _IHWO)
    bias = given(op, 2)
    each = list(zip(source.shape[1:3], window.kernel, window.strides, strict=True))
    whole = tuple(size * stride + max(kernel - stride, 0) for size, kernel, stride in each)
    same = tuple(size * stride for size, _, stride in each)
    crops = tuple(max(kernel - stride, 0) // 2 for _, kernel, stride in each)
    begins = _cropped(op, window)
    padding = SAME if result.shape[1:3] == same and begins == crops else VALID
    direct = padding == SAME or (result.shape[1:3] == whole and not any(begins))
    made = result if direct else like(result, (result.shape[0], *whole, result.shape[3]))
    inputs = [indices(*made.shape), weights, source, *([] if bias is None else [plain(bias)])]
    values = {"Padding": padding, "StrideH": window.strides[0], "StrideW": window.strides[1]}
    form = single("TRANSPOSE_CONV", inputs, made, "TransposeConvOptions", **values)
    if direct:
        return (form,)
    if any(begin + size > all_ for begin, size, all_ in zip(begins, result.shape[1:3], whole, strict=True)):
        raise NoFormError("output padding beyond the kernel is not written")
    cut = [made, indices(0, *begins, 0), indices(*result.shape)]
    return form, single("SLICE", cut, result, "SliceOptions")


def _cropped(op: OperatorView, window: _Window) -> tuple[int, ...]:
    """What ONNX takes off the whole result before each dimension."""
    begins = tuple(before for before, _ in window.pads)
    if op.attributes.get("auto_pad", "NOTSET") not in ("SAME_UPPER", "SAME_LOWER"):
        return begins
    totals = [max(kernel - stride, 0) for kernel, stride in zip(window.kernel, window.strides, strict=True)]
    upper = op.attributes["auto_pad"] == "SAME_UPPER"
    return tuple(total // 2 if upper else total - total // 2 for total in totals)


def pool(op: OperatorView) -> Form:
    """MAX_POOL_2D or AVERAGE_POOL_2D."""
    source, window, result = image(input_of(op, 0)), _window(op), image(output_of(op))
    largest = op.op_type == "MaxPool"
    if max(window.dilations) > 1:
        raise NoFormError("TFLite's pools have no dilations")
    if len([tensor for tensor in op.outputs if tensor is not None]) > 1:
        raise NoFormError("TFLite's pools give no indices")
    if result.shape[1:3] != window.results(source.shape[1:3]):
        raise NoFormError("TFLite's pools do not round sizes up (ceil_mode)")
    before, padded, padding = _pool_padding(op, window, source, largest)
    name = "MAX_POOL_2D" if largest else "AVERAGE_POOL_2D"
    return *before, _pool(name, padded, result, window.kernel, window.strides, padding)


def _pool_padding(op: OperatorView, window: _Window, source: LiteTensor, largest: bool) -> tuple[Form, LiteTensor, int]:
    if largest:
        low = np.iinfo(source.dtype).min if "int" in source.dtype else np.finfo(source.dtype).min
        return _padded(window, source, float(low))
    if attribute_of(op, "count_include_pad") and any(map(any, window.pads)):
        return *_pad(window, source, None), VALID
    before, padded, padding = _padded(window, source, None)
    if before:
        raise NoFormError("TFLite can't leave the padding out of an average, unless it is SAME")
    return before, padded, padding


def _pool(
    name: str,
    source: LiteTensor,
    result: LiteTensor,
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: int,
) -> LiteOperator:
    values = {"Padding": padding, "StrideH": strides[0], "StrideW": strides[1]}
    values |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    return single(name, [source], result, "Pool2DOptions", **values)


def global_pool(op: OperatorView) -> Form:
    """MEAN over height and width, or one MAX_POOL_2D."""
    source, result = image(input_of(op, 0)), image(output_of(op))
    if op.op_type == "GlobalAveragePool":
        return (single("MEAN", [source, indices(1, 2)], result, "ReducerOptions", KeepDims=1),)
    return (_pool("MAX_POOL_2D", source, result, source.shape[1:3], (1, 1), VALID),)
