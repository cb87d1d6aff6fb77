"""What the PyTorch backend takes, as plain data: the compiler asks before it places, the backend's tests after.

What is not claimed is refused when a plan is made. Of the element types, unsigned integers of 16 to 64 bits are left
out, for torch has few kernels of them, and so are text, complex numbers and those of 4 and of 8 floating bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_FLOATS: Final = frozenset({"float16", "float32", "float64", "bfloat16"})
_INTEGERS: Final = frozenset({"int8", "int16", "int32", "int64", "uint8"})
_NUMBERS: Final = _FLOATS | _INTEGERS
_ANY: Final = _NUMBERS | {"bool"}
_BOOL: Final = frozenset({"bool"})
_BYTES: Final = frozenset({"int8", "uint8"})
_LAST_OPSET: Final = 28
_TYPE_NUMBERS: Final = (1, 2, 3, 5, 6, 7, 9, 10, 11, 16)


@dataclass(frozen=True, slots=True)
class Claim:
    """In which forms the backend takes an operator."""

    dtypes: frozenset[str]
    """Of the first input; the others may have any type that the backend knows."""
    since: int = 7
    """The first opset; the rules of broadcasting are of 7."""
    attributes: Mapping[str, tuple[Any, ...]] | None = None
    """Attribute -> the values that are taken."""
    most_inputs: int | None = None
    most_outputs: int | None = None


def _same(dtypes: frozenset[str], names: str) -> dict[str, Claim]:
    return dict.fromkeys(names.split(), Claim(dtypes))


_ONNX: Final[dict[str, Claim]] = {
    **_same(
        _FLOATS,
        "Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish IsInf IsNaN"
        " LeakyRelu Log Reciprocal Round Selu Sigmoid Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu"
        " ArgMax ArgMin Softmax LogSoftmax ReduceLogSum ReduceLogSumExp Mean"
        " MatMul Gemm Einsum Conv GlobalAveragePool GlobalMaxPool GlobalLpPool InstanceNormalization"
        " GroupNormalization RMSNormalization SimplifiedLayerNormalization LRN LpNormalization"
        " MeanVarianceNormalization QuantizeLinear",
    ),
    **_same(
        _NUMBERS,
        "Abs Add Div Mul Sub Neg Relu Sign Max Min Sum Pow PRelu Clip Shrink Greater GreaterOrEqual Less LessOrEqual"
        " CumSum ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Range",
    ),
    **_same(
        _ANY,
        "Cast CastLike Identity Equal Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Expand Tile Slice"
        " Shape Size DepthToSpace SpaceToDepth Trilu ConstantOfShape Gather GatherElements GatherND OneHot"
        " ReverseSequence",
    ),
    **_same(_BOOL, "And Or Xor Not Where"),
    "BatchNormalization": Claim(_FLOATS, attributes={"training_mode": (0,), "spatial": (1,)}, most_outputs=1),
    "LayerNormalization": Claim(_FLOATS),
    "Dropout": Claim(_FLOATS, most_inputs=2, most_outputs=1),
    "Mod": Claim(_NUMBERS),
    "TopK": Claim(_NUMBERS, since=10),
    "Pad": Claim(_ANY),
    "ConvTranspose": Claim(_FLOATS),
    "MaxPool": Claim(_FLOATS | {"int8", "uint8"}, attributes={"storage_order": (0,)}, most_outputs=1),
    "AveragePool": Claim(_FLOATS),
    "Scatter": Claim(_ANY),
    "ScatterElements": Claim(_ANY),
    "ScatterND": Claim(_ANY),
    "GridSample": Claim(_FLOATS, since=16, attributes={"mode": ("bilinear", "nearest", "linear")}),
    "DequantizeLinear": Claim(frozenset({"int8", "uint8", "int32"})),
    "Constant": Claim(_ANY),
    # at stage 2 what is masked is the least number to ONNX Runtime, and minus infinity to ONNX
    "Attention": Claim(_FLOATS, since=23, attributes={"qk_matmul_output_mode": (0, 1, 3)}),
    "RotaryEmbedding": Claim(_FLOATS, since=23),
    "TensorScatter": Claim(_ANY),
    **_same(_FLOATS, "GRU LSTM RNN RoiAlign NonMaxSuppression"),
    **_same(_BYTES, "MatMulInteger ConvInteger"),
    "Upsample": Claim(_FLOATS, attributes={"mode": ("nearest", "linear", "bilinear")}),
    **_same(_FLOATS, "RandomNormal RandomNormalLike RandomUniform RandomUniformLike"),
    "EyeLike": Claim(_ANY),
    "Resize": Claim(
        _FLOATS,
        since=11,
        attributes={"antialias": (0,)},
    ),
}

_FUSED_ACTIVATIONS: Final = ("", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid")

_MICROSOFT: Final[dict[str, Claim]] = {
    **dict.fromkeys(("Gelu", "BiasGelu", "FastGelu", "QuickGelu", "FusedMatMul"), Claim(_FLOATS, since=1)),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), Claim(_FLOATS, since=1)),
    "Attention": Claim(
        _FLOATS, since=1, attributes={"do_rotary": (0,), "past_present_share_buffer": (0,)}, most_inputs=6
    ),
    "MultiHeadAttention": Claim(_FLOATS, since=1, most_inputs=8, most_outputs=3),
    "GroupQueryAttention": Claim(
        _FLOATS,
        since=1,
        attributes={
            "causal": (1,),
            "k_quant_type": ("NONE",),
            "kv_cache_bit_width": (0,),
            "qk_output": (0,),
            "sliding_window_cache": (0,),
            "smooth_softmax": (0, -1),
            "v_quant_type": ("NONE",),
        },
        most_inputs=11,
        most_outputs=3,
    ),
    "RotaryEmbedding": Claim(_FLOATS, since=1, attributes={"is_packed_batching": (0,), "scale": (1.0,)}),
    **dict.fromkeys(("BiasSoftmax", "BiasSplitGelu"), Claim(_FLOATS, since=1)),
    "EmbedLayerNormalization": Claim(frozenset({"int32"}), since=1),
    **dict.fromkeys(("GroupNorm", "DynamicQuantizeMatMul"), Claim(_FLOATS, since=1)),
    "MoE": Claim(
        _FLOATS,
        since=1,
        attributes={
            "activation_type": ("gelu", "identity", "relu", "silu", "swiglu"),
            "swiglu_limit_after_activation": (0,),
            "use_sparse_mixer": (0,),
        },
        most_inputs=6,
    ),
    "NhwcConv": Claim(_FLOATS, since=1),
    "SkipGroupNorm": Claim(_FLOATS, since=1, attributes={"channels_last": (1,)}),
    "MatMulNBits": Claim(_FLOATS, since=1, attributes={"bits": (2, 4, 8), "weight_prepacked": (0,)}),
    "FusedGemm": Claim(_FLOATS, since=1, attributes={"activation": _FUSED_ACTIVATIONS}),
    "FusedConv": Claim(_FLOATS, since=1, attributes={"activation": _FUSED_ACTIVATIONS}),
}

CLAIMS: Final[Mapping[tuple[str, str], Claim]] = {
    **{("", name): claim for name, claim in _ONNX.items()},
    **{("com.microsoft", name): claim for name, claim in _MICROSOFT.items()},
}
"""(domain, operator) -> the forms that are taken."""


def why_refused(
    domain: str,
    op_type: str,
    opset: int,
    dtypes: Sequence[str | None],
    attributes: Mapping[str, Any],
    outputs: Sequence[str | None],
) -> str:
    """Why the backend does not take an operator, in one sentence; empty where it does.

    Args:
        domain: Empty for ONNX's own.
        op_type: The operator.
        opset: Of its domain.
        dtypes: NumPy's name for each input's type; None where it is unknown or the input is left out.
        attributes: Those that are given.
        outputs: NumPy's name for the type of each output that is read.
    """
    claim = CLAIMS.get((domain, op_type))
    if claim is None:
        return "the PyTorch backend has no kernel for it"
    if opset < claim.since or (not domain and opset > _LAST_OPSET):
        return f"the PyTorch backend takes it from opset {claim.since} to {_LAST_OPSET}, not of {opset}"
    known = [dtype for dtype in (*dtypes, *outputs) if dtype is not None]
    if dtypes and dtypes[0] is not None and dtypes[0] not in claim.dtypes:
        return f"the PyTorch backend takes it of {' '.join(sorted(claim.dtypes))}, not of {dtypes[0]}"
    if strange := [dtype for dtype in known if dtype not in _ANY]:
        return f"the PyTorch backend takes no {strange[0]}"
    if claim.most_inputs is not None and len(dtypes) > claim.most_inputs:
        return f"the PyTorch backend takes {claim.most_inputs} inputs of it, not {len(dtypes)}"
    if claim.most_outputs is not None and len(outputs) > claim.most_outputs:
        return f"the PyTorch backend gives {claim.most_outputs} output of it, not {len(outputs)}"
    return _about_attributes(op_type, claim, attributes)


def _about_attributes(op_type: str, claim: Claim, attributes: Mapping[str, Any]) -> str:
    for name, taken in (claim.attributes or {}).items():
        value = attributes.get(name)
        if value is not None and value not in taken:
            return f"the PyTorch backend takes {name} {' '.join(map(str, taken))}, not {value}"
    if op_type == "Cast" and attributes.get("to") not in _TYPE_NUMBERS:
        return "the PyTorch backend casts to floats of 16 to 64 bits, int8 to int64, uint8 and bool only"
    if op_type == "QuantizeLinear" and (attributes.get("output_dtype") or 2) not in (2, 3):
        return "the PyTorch backend quantizes to int8 and uint8 only"
    return ""
