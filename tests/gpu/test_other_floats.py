"""Kernels on floats of 16 and 64 bits, against themselves on 32."""

from typing import Any, Final

import ml_dtypes
import numpy as np
import pytest

RANDOM = np.random.default_rng(19)
OWN = "com.microsoft"


def floats(*shape: int) -> Any:
    return (RANDOM.standard_normal(shape) / 2).astype(np.float32)


def ints(values: Any, kind: Any = np.int32) -> Any:
    return np.array(values, dtype=kind)


IMAGE, ROWS, HEADS = floats(1, 4, 6, 5), floats(2, 3, 8), [floats(1, 2, 3, 8) for _ in range(3)]
NODES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Conv": ([IMAGE, floats(2, 4, 3, 3), floats(2)], {"pads": [1, 0, 1, 1]}),
    "ConvTranspose": ([IMAGE, floats(4, 2, 3, 3), floats(2)], {"strides": [2, 1]}),
    "AveragePool": ([IMAGE], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "MaxPool": ([IMAGE], {"kernel_shape": [3, 3], "ceil_mode": 1, "strides": [2, 2]}),
    "GlobalAveragePool": ([IMAGE], {}),
    "GlobalLpPool": ([IMAGE], {}),
    "BatchNormalization": ([IMAGE, *(np.abs(floats(4)) for _ in range(4))], {}),
    "InstanceNormalization": ([IMAGE, floats(4), floats(4)], {}),
    "GroupNormalization": ([IMAGE, floats(4), floats(4)], {"num_groups": 2}),
    "LayerNormalization": ([ROWS, floats(8), floats(8)], {}),
    "RMSNormalization": ([ROWS, floats(8)], {"opset": 23}),
    "LRN": ([IMAGE], {"size": 3}),
    "LpNormalization": ([IMAGE], {}),
    "MeanVarianceNormalization": ([IMAGE], {}),
    "MatMul": ([ROWS, floats(8, 4)], {}),
    "Gemm": ([ROWS[0], floats(8, 4), floats(4)], {"alpha": 0.5}),
    "Einsum": ([ROWS, floats(8, 4)], {"equation": "bij,jk->bik"}),
    "Attention": (HEADS, {"opset": 23, "is_causal": 1}),
    "RotaryEmbedding": ([HEADS[0], floats(1, 3, 4), floats(1, 3, 4)], {"opset": 23}),
    "LSTM": ([ROWS, floats(1, 16, 8), floats(1, 16, 4)], {"hidden_size": 4}),
    "GRU": ([ROWS, floats(1, 12, 8), floats(1, 12, 4)], {"hidden_size": 4}),
    "RNN": ([ROWS, floats(1, 4, 8), floats(1, 4, 4)], {"hidden_size": 4}),
    "GridSample": ([IMAGE, floats(1, 3, 3, 2)], {"opset": 20}),
    "RoiAlign": ([IMAGE, np.abs(floats(2, 4)) + ints([0, 0, 4, 4], np.float32), ints([0, 0], np.int64)], {"opset": 16}),
    f"{OWN}:FusedConv": ([IMAGE, floats(2, 4, 3, 3)], {"activation": "Relu"}),
    f"{OWN}:NhwcConv": ([IMAGE, floats(2, 3, 3, 5)], {}),
    f"{OWN}:FusedMatMul": ([ROWS, floats(8, 4)], {"alpha": 0.5}),
    f"{OWN}:FusedGemm": ([ROWS[0], floats(8, 4)], {"activation": "Relu"}),
    f"{OWN}:Gelu": ([ROWS], {}),
    f"{OWN}:QuickGelu": ([ROWS], {}),
    f"{OWN}:BiasSplitGelu": ([ROWS, floats(8)], {}),
    f"{OWN}:BiasSoftmax": ([ROWS, floats(1, 3, 8)], {"axis": 2, "is_inner_broadcast": 1}),
    f"{OWN}:GroupNorm": ([floats(1, 3, 3, 8), floats(8), floats(8)], {"groups": 4, "activation": 1}),
    f"{OWN}:SkipLayerNormalization": ([ROWS, ROWS, floats(8), floats(8)], {}),
    f"{OWN}:SkipSimplifiedLayerNormalization": ([ROWS, ROWS, floats(8)], {}),
    f"{OWN}:EmbedLayerNormalization": (
        [ints([[0, 1]]), None, floats(3, 8), floats(3, 8), None, floats(8), floats(8)], {}
    ),
    f"{OWN}:Attention": (
        [ROWS, floats(8, 24), floats(24), ints([3, 1])], {"num_heads": 2, "unidirectional": 1}
    ),
    f"{OWN}:MultiHeadAttention": ([ROWS, ROWS, ROWS, floats(24), ints([3, 1])], {"num_heads": 2}),
    f"{OWN}:RotaryEmbedding": ([HEADS[0], ints([0], np.int64), floats(8, 4), floats(8, 4)], {}),
    f"{OWN}:GroupQueryAttention": (
        [floats(1, 1, 32), floats(1, 1, 16), floats(1, 1, 16), floats(1, 1, 3, 16), floats(1, 1, 3, 16), ints([3]),
         ints([4])], {"num_heads": 2, "kv_num_heads": 1, "softcap": 2.0},
    ),
    f"{OWN}:MatMulNBits": (
        [floats(2, 32), ints(RANDOM.integers(0, 255, (5, 1, 16)), np.uint8), floats(5) / 10],
        {"K": 32, "N": 5, "bits": 4, "block_size": 32},
    ),
    f"{OWN}:MoE": ([ROWS[0], floats(3, 4), floats(4, 8, 8), floats(4, 8), floats(4, 8, 8)], {"k": 2}),
}  # fmt: skip


TOLERANCES: Final = {np.float16: 2e-2, np.float64: 1e-4, ml_dtypes.bfloat16: 8e-2}


def _same_floats(array: Any, kind: Any) -> Any:
    return array.astype(kind) if array is not None and array.dtype == np.float32 else array


@pytest.mark.parametrize("kind", TOLERANCES)
@pytest.mark.parametrize("name", NODES)
def test_as_with_float32(name: str, kind: Any, on_torch: Any) -> None:
    inputs, attributes = NODES[name]
    domain, _, op_type = name.rpartition(":")
    (wanted,) = on_torch(op_type, inputs, domain=domain, **attributes)
    (found,) = on_torch(op_type, [_same_floats(each, kind) for each in inputs], domain=domain, **attributes)
    assert found.dtype == kind
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=TOLERANCES[kind], atol=TOLERANCES[kind] / 4)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("kind", TOLERANCES)
def test_resize_as_with_float32(kind: Any, mode: str, on_torch: Any) -> None:
    scales = np.array([1, 1, 1.5, 0.6], dtype=np.float32)
    (wanted,) = on_torch("Resize", [IMAGE, None, scales], mode=mode)
    (found,) = on_torch("Resize", [IMAGE.astype(kind), None, scales], mode=mode)
    assert found.dtype == kind
    np.testing.assert_allclose(found.astype(np.float64), wanted, rtol=TOLERANCES[kind], atol=TOLERANCES[kind] / 4)
