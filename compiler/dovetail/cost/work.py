"""What an operator does, whatever the device: arithmetic, and bytes in and out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from dovetail.cost import others, products
from dovetail.cost.channels import Channels, channels_of
from dovetail.cost.sizes import Sizes
from dovetail.targets.facts import MissingFactError, bytes_of
from dovetail.targets.view import OperatorView, TensorView

OpClass = Literal["dense", "depthwise", "elementwise", "normalization", "movement", "control"]
Moves = Literal["all", "selected", "nothing"]


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one run of an operator. Counts and bytes are exact unless `assumed`."""

    op_type: str
    op_class: OpClass
    macs: float
    """Multiply-accumulates; two operations each."""
    ops: float
    """Other arithmetic, in additions (`dovetail.cost.weights`)."""
    bytes_in: float
    """Of activations, each tensor once, with the element types of the model (the quantized ones in a Q/DQ group)."""
    bytes_weights: float
    """Of constants."""
    bytes_out: float
    moves: Moves = "all"
    """`selected`: it reads no more than it writes (Gather); `nothing`: its output is its input (Reshape)."""
    width: float = 0
    """Bytes of an element that a device's own precision takes the place of; 0: indices and the like, kept as is."""
    quantized: bool = False
    """It stands in a Q/DQ group."""
    batch: int = 1
    """Pictures in the first input; 1 for what is no picture."""
    channels: Channels | None = None
    """The widths of a product; None where it is none, or they are not known."""
    assumed: bool = False
    """A size was not known and counts as 1."""

    def traffic(self) -> tuple[float, float]:
        """Bytes of activations and bytes of constants that one run moves."""
        if self.moves == "nothing":
            return 0.0, 0.0
        if self.moves == "selected":
            return min(self.bytes_in, self.bytes_out) + self.bytes_out, min(self.bytes_weights, self.bytes_out)
        return self.bytes_in + self.bytes_out, self.bytes_weights


_PRODUCTS: Final[dict[str, Callable[[Sizes], products.Count]]] = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), products.conv),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "MatMulNBits"), products.matmul),
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), products.matmul),
    **dict.fromkeys(("Gemm", "FusedGemm"), products.gemm),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), products.recurrent),
    **dict.fromkeys(("Attention", "MultiHeadAttention"), products.attention),
    "QGemm": lambda sizes: (products.matmul(sizes)[0], 0),
    "QLinearConv": products.qlinear_conv,
    "ConvTranspose": products.conv_transpose,
    "DeformConv": products.deform_conv,
    "Einsum": products.einsum,
    "GroupQueryAttention": products.grouped_query_attention,
    "AffineGrid": products.affine_grid,
}
_NORMALIZATIONS: Final[dict[str, Callable[[Sizes], float]]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), others.softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), others.layer_norm),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), others.skip_layer_norm),
    **dict.fromkeys(("MeanVarianceNormalization", "LpNormalization"), others.mean_variance),
    "InstanceNormalization": others.instance_norm,
    "GroupNormalization": others.group_norm,
    "BatchNormalization": others.per_output,
    "LRN": others.local_response,
}
_REDUCTIONS: Final = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
_POOLS: Final = ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool")
_OTHERS: Final[dict[str, Callable[[Sizes], float]]] = {
    **dict.fromkeys(("Sum", "Mean", "Max", "Min"), others.variadic),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool"), others.pool),
    **dict.fromkeys(_POOLS, others.global_pool),
    **dict.fromkeys(("RoiAlign", "MaxRoiPool"), others.roi),
    **dict.fromkeys((f"Reduce{name}" for name in _REDUCTIONS), others.reduction),
    **dict.fromkeys(("ArgMax", "ArgMin", "CumSum", "CumProd"), others.reduction),
    **dict.fromkeys(("Resize", "Upsample"), others.resize),
    **dict.fromkeys(("DFT", "STFT"), others.fourier),
    "TopK": others.top_k,
    "GridSample": others.grid_sample,
    "NonMaxSuppression": others.non_max_suppression,
    "DynamicQuantizeLinear": others.dynamic_quantize,
}
SELECTING: Final = frozenset({"Gather", "GatherElements", "GatherND", "Slice", "Compress", "Split", "EmbedLayerNorm"})
ALIASES: Final = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size"})
"""Operators that hand their input on, or its shape: nothing moves."""
MOVEMENT: Final = (
    SELECTING
    | ALIASES
    | {"Cast", "CastLike", "BitCast", "Col2Im", "Concat", "Constant", "ConstantOfShape", "CenterCropPad"}
    | {"DepthToSpace", "Expand", "EyeLike", "NonZero", "OneHot", "Pad", "Range", "ReverseSequence", "Scatter"}
    | {"ScatterElements", "ScatterND", "SpaceToDepth", "Tile", "Transpose", "Trilu", "Unique", "TensorScatter"}
)
CONTROL: Final = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Their work is that of their bodies, which only the whole graph can tell."""

_PICTURE_RANK: Final = 4
_DOMAINS: Final = frozenset({"", "ai.onnx", "com.microsoft"})


def work_of(op: OperatorView) -> Work:
    """The work of an operator. O(rank of its tensors).

    An operator that is not listed counts one operation for each element of its output.
    """
    sizes = Sizes(op)
    op_class, macs, ops = _arithmetic(sizes)
    present = [tensor for tensor in op.inputs if tensor is not None]
    return Work(
        op_type=op.op_type,
        op_class=op_class,
        macs=macs,
        ops=ops,
        bytes_in=sizes.bytes(tensor for tensor in present if tensor.constant is None),
        bytes_weights=sizes.bytes(tensor for tensor in present if tensor.constant is not None),
        bytes_out=sizes.bytes(op.outputs),
        moves=_moves(op.op_type),
        width=_width(op, present),
        quantized=op.quantized,
        batch=_batch(sizes),
        channels=channels_of(sizes) if op_class in ("dense", "depthwise") else None,
        assumed=sizes.assumed,
    )


def _arithmetic(sizes: Sizes) -> tuple[OpClass, float, float]:
    """Class, multiply-accumulates, other operations."""
    name = sizes.op.op_type if sizes.op.domain in _DOMAINS else ""
    if name in CONTROL:
        return "control", 0, 0
    if name in MOVEMENT:
        return "movement", 0, 0
    if name in _PRODUCTS:
        macs, ops = _PRODUCTS[name](sizes)
        return ("depthwise" if is_depthwise(sizes) else "dense"), macs, ops
    if name in _NORMALIZATIONS:
        return "normalization", 0, _NORMALIZATIONS[name](sizes)
    return "elementwise", 0, _OTHERS.get(name, others.per_output)(sizes)


def is_depthwise(sizes: Sizes) -> bool:
    """Whether each input channel of a convolution makes its own outputs: more than one group, one channel in each."""
    groups = sizes.number("group", 1)
    if groups < 2 or "Conv" not in sizes.op.op_type:
        return False
    if sizes.op.op_type == "ConvTranspose":
        return sizes.in_dims(1)[:1] == (groups,)
    return sizes.in_dims(3 if sizes.op.op_type == "QLinearConv" else 1)[1:2] == (1,)


def _batch(sizes: Sizes) -> int:
    dims = sizes.in_dims(0)
    return max(1, dims[0]) if len(dims) == _PICTURE_RANK else 1


def _moves(op_type: str) -> Moves:
    if op_type in ALIASES:
        return "nothing"
    return "selected" if op_type in SELECTING else "all"


def _width(op: OperatorView, present: list[TensorView]) -> float:
    """Bytes of an element of the first tensor that is quantized (in a Q/DQ group) or a float."""
    tensors = [*present, *(tensor for tensor in op.outputs if tensor is not None)]
    for tensor in tensors:
        if (op.quantized and tensor.quant is not None) or (tensor.dtype or "").startswith(("float", "bfloat")):
            try:
                return bytes_of(tensor.dtype or "")
            except MissingFactError:
                continue
    return 0
