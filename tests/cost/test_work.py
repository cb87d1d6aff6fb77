"""Work of single operators, against formulas worked out by hand."""

import numpy as np
import pytest
from tests.targets.operators import constant, ints, operator, tensor, weights

from dovetail.cost import OpClass, work_of
from dovetail.targets import OperatorView, TensorView


def count(op: OperatorView) -> tuple[OpClass, float, float]:
    work = work_of(op)
    return work.op_class, work.macs, work.ops


CONV = operator("Conv", [tensor(2, 3, 8, 8), weights(16, 3, 3, 3), weights(16)], tensor(2, 16, 8, 8))
OUT = 2 * 16 * 8 * 8
CASES = [
    (CONV, ("dense", OUT * 27, OUT)),
    (operator("Conv", [tensor(1, 8, 4, 4), weights(8, 1, 3, 3)], tensor(1, 8, 4, 4), group=8), ("depthwise", 1152, 0)),
    (operator("Conv", [tensor(1, 8, 4, 4), weights(8, 4, 1, 1)], tensor(1, 8, 4, 4), group=2), ("dense", 512, 0)),
    # every one of the 1*4*3*3 inputs meets 2 outputs of 2x2 weights, and the bias is added to 1*2*6*6 outputs
    (operator("ConvTranspose", [tensor(1, 4, 3, 3), weights(4, 2, 2, 2), weights(2)], tensor(1, 2, 6, 6)),
     ("dense", 36 * 8, 72)),
    (operator("Gemm", [tensor(5, 7), weights(7, 3), weights(3)], tensor(5, 3)), ("dense", 105, 15)),
    (operator("Gemm", [tensor(7, 5), weights(7, 3)], tensor(5, 3), transA=1), ("dense", 105, 0)),
    (operator("MatMul", [tensor(2, 6, 5, 7), tensor(2, 6, 7, 3)], tensor(2, 6, 5, 3)), ("dense", 12 * 105, 0)),
    (operator("MatMul", [tensor(7), weights(7, 3)], tensor(3)), ("dense", 21, 0)),
    (operator("Einsum", [tensor(2, 4, 5), tensor(2, 5, 6)], tensor(2, 4, 6), equation="bij,bjk->bik"),
     ("dense", 240, 0)),
    (operator("Einsum", [tensor(2, 3, 4, 5), weights(5, 6)], tensor(2, 3, 4, 6), equation="...j,jk->...k"),
     ("dense", 720, 0)),
    # 10 steps of batch 2, W 4*6 x 3 and R 4*6 x 6; 8 + 4 + 3*32 + 2*38 + 4 operations for each of 6 states
    (operator("LSTM", [tensor(10, 2, 3), weights(1, 24, 3), weights(1, 24, 6)], tensor(10, 1, 2, 6), hidden_size=6),
     ("dense", 20 * 216, 20 * 6 * 188)),
    (operator("MaxPool", [tensor(1, 4, 8, 8)], tensor(1, 4, 4, 4), kernel_shape=(3, 2)), ("elementwise", 0, 64 * 6)),
    (operator("GlobalAveragePool", [tensor(1, 4, 8, 8)], tensor(1, 4, 1, 1)), ("elementwise", 0, 256 + 16)),
    (operator("Softmax", [tensor(2, 10)], tensor(2, 10)), ("normalization", 0, 720)),
    (operator("LayerNormalization", [tensor(2, 3, 8), weights(8)], tensor(2, 3, 8)),
     ("normalization", 0, 7 * 48 + 29 * 6)),
    (operator("ReduceMean", [tensor(2, 8)], tensor(2, 1)), ("elementwise", 0, 16)),
    (operator("ReduceL2", [tensor(2, 8)], tensor(2, 1)), ("elementwise", 0, 32 + 2 * 24)),
    (operator("Relu", [tensor(3, 5)], tensor(3, 5)), ("elementwise", 0, 15)),
    (operator("Sum", [tensor(5), tensor(5), tensor(5)], tensor(5)), ("elementwise", 0, 10)),
    (operator("TopK", [tensor(2, 100), ints(4)], tensor(2, 4)), ("elementwise", 0, 200 * 3)),
    (operator("Resize", [tensor(1, 1, 2, 2)], tensor(1, 1, 4, 4), mode="linear"), ("elementwise", 0, 64)),
    (operator("GridSample", [tensor(1, 3, 4, 4), tensor(1, 5, 5, 2)], tensor(1, 3, 5, 5), mode="nearest"),
     ("elementwise", 0, 75 + 6 * 25)),
    (operator("Transpose", [tensor(3, 5)], tensor(5, 3)), ("movement", 0, 0)),
    (operator("If", [tensor(1, dtype="bool")], tensor(5)), ("control", 0, 0)),
    (operator("NonZero", [tensor(3, 5)], tensor(2, 15)), ("movement", 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "wanted"), CASES, ids=[f"{index}-{op.op_type}" for index, (op, _) in enumerate(CASES)])
def test_counts(op: OperatorView, wanted: tuple[OpClass, float, float]) -> None:
    assert count(op) == wanted


def test_an_unlisted_operator_counts_one_operation_an_output() -> None:
    view = operator("Relu", [tensor(3, 5)], tensor(3, 5))
    other = OperatorView(**{name: getattr(view, name) for name in view.__slots__} | {"op_type": "X", "domain": "my"})
    assert count(other) == ("elementwise", 0, 15)


def test_attention_is_two_products_over_all_heads_and_a_softmax() -> None:
    inputs = [tensor(2, 5, 12), tensor(2, 7, 12), tensor(2, 7, 12)]
    view = operator("Relu", inputs, tensor(2, 5, 12), q_num_heads=3, kv_num_heads=3)
    op = OperatorView(**{name: getattr(view, name) for name in view.__slots__} | {"op_type": "Attention"})
    assert count(op) == ("dense", 2 * (2 * 5 * 7 * 12), 2 * 3 * 5 * 7 * 36)


def test_bytes_have_the_types_of_the_model() -> None:
    work = work_of(CONV)
    assert (work.bytes_in, work.bytes_out) == (4 * 2 * 3 * 64, 4 * OUT)
    assert work.width == 4
    assert not work.assumed


def test_a_tensor_read_twice_counts_once() -> None:
    assert work_of(operator("Mul", [tensor(5), tensor(5)], tensor(5))).bytes_in == 20


def test_an_unknown_dimension_counts_as_one_and_is_marked() -> None:
    work = work_of(operator("Relu", [tensor("batch", 5)], tensor("batch", 5)))
    assert (work.ops, work.bytes_in, work.assumed) == (5, 20, True)
    unknown = TensorView("u", "float32", None, None)
    assert work_of(operator("Relu", [unknown], unknown)).assumed


def test_gather_reads_no_more_than_it_writes() -> None:
    table = constant(np.zeros((1000, 8), np.float32))
    work = work_of(operator("Gather", [table, tensor(2, dtype="int64")], tensor(2, 8)))
    assert work.bytes_weights == 4 * 8000
    assert work.traffic() == (16 + 64, 64)


def test_a_reshape_moves_nothing() -> None:
    assert work_of(operator("Reshape", [tensor(2, 8), ints(16)], tensor(16))).traffic() == (0, 0)
