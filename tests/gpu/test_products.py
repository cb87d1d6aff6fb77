"""Products of matrices, of floats, of bytes and of weights of few bits, against ONNX Runtime on the CPU."""

from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(6)


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def integers(low: int, high: int, *shape: int, dtype: Any) -> Any:
    return RANDOM.integers(low, high, shape, dtype=dtype)


@pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("addend", [None, (), (1,), (5,), (4, 1), (4, 5)])
def test_gemm(flips: tuple[int, int], addend: tuple[int, ...] | None, assert_like_onnxruntime: Any) -> None:
    a, b = floats(3, 4) if flips[0] else floats(4, 3), floats(5, 3) if flips[1] else floats(3, 5)
    rest = [] if addend is None else [np.asarray(floats(*addend))]
    attributes = {"alpha": 0.5, "beta": 2.0, "transA": flips[0], "transB": flips[1]}
    assert_like_onnxruntime("Gemm", [a, b, *rest], **attributes)
    fused = {"activation": "LeakyRelu", "activation_alpha": 0.3}
    assert_like_onnxruntime("FusedGemm", [a, b, *rest], domain="com.microsoft", **attributes, **fused)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3, 2)), ((2, 1, 4, 3), (5, 3, 2))])
def test_matmul_broadcasts(shapes: tuple[tuple[int, ...], ...], assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("MatMul", [floats(*shape) for shape in shapes])


@pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_matmul_of_flipped_matrices(flips: tuple[int, int], assert_like_onnxruntime: Any) -> None:
    a, b = floats(2, 3, 4) if flips[0] else floats(2, 4, 3), floats(2, 5, 3) if flips[1] else floats(2, 3, 5)
    attributes = {"alpha": 0.5, "transA": flips[0], "transB": flips[1]}
    assert_like_onnxruntime("FusedMatMul", [a, b], domain="com.microsoft", **attributes)


@pytest.mark.parametrize("flips", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("batches", [(1, 0), (0, 1), (1, 1)])
def test_matmul_of_batches_between_the_axes(
    flips: tuple[int, int], batches: tuple[int, int], assert_like_onnxruntime: Any
) -> None:
    attributes = {"transA": flips[0], "transB": flips[1], "transBatchA": batches[0], "transBatchB": batches[1]}
    inputs = [floats(4, 4, 4), floats(4, 4, 4)]
    assert_like_onnxruntime("FusedMatMul", inputs, domain="com.microsoft", **attributes)


@pytest.mark.parametrize("signed", [np.int8, np.uint8])
@pytest.mark.parametrize("of_each_column", [False, True])
def test_matmul_of_bytes(of_each_column: bool, signed: Any, assert_like_onnxruntime: Any) -> None:
    a, b = integers(0, 255, 2, 4, 64, dtype=np.uint8), integers(0, 120, 64, 5, dtype=signed)
    zero = integers(0, 120, 5, dtype=signed) if of_each_column else np.array(7, dtype=signed)
    assert_like_onnxruntime("MatMulInteger", [a, b])
    assert_like_onnxruntime("MatMulInteger", [a, b, np.array(130, dtype=np.uint8), zero])


@pytest.mark.parametrize("of_each_column", [False, True])
def test_matmul_that_quantizes_its_first_factor(of_each_column: bool, assert_like_onnxruntime: Any) -> None:
    shape = (6,) if of_each_column else ()
    b, scale = integers(-128, 127, 8, 6, dtype=np.int8), np.asarray(np.abs(floats(*shape)) + 0.1, dtype=np.float32)
    zero, bias = np.asarray(integers(-5, 5, *shape, dtype=np.int8)), floats(6)
    inputs = [floats(3, 8), b, scale]
    assert_like_onnxruntime("DynamicQuantizeMatMul", [*inputs, zero, bias], domain="com.microsoft")
    assert_like_onnxruntime("DynamicQuantizeMatMul", inputs, domain="com.microsoft")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("columns", [64, 80])
@pytest.mark.parametrize("zeros", ["none", "packed", "floats"])
def test_matmul_of_few_bits(zeros: str, columns: int, bits: int, assert_like_onnxruntime: Any) -> None:
    if bits == 8 and zeros == "floats":
        pytest.skip("ONNX Runtime has no such kernel on the CPU")
    rows, block, blocks = 5, 32, -(-columns // 32)
    weight = integers(0, 255, rows, blocks, block * bits // 8, dtype=np.uint8)
    scales = np.abs(floats(rows * blocks))
    packed = integers(0, 255, rows * -(-blocks * bits // 8), dtype=np.uint8)
    zero = {"none": [], "packed": [packed], "floats": [np.abs(floats(rows * blocks)) * 2]}[zeros]
    attributes = {"K": columns, "N": rows, "bits": bits, "block_size": block}
    inputs = [floats(2, 3, columns), weight, scales, *zero]
    assert_like_onnxruntime("MatMulNBits", inputs, domain="com.microsoft", tolerance=1e-3, **attributes)


def test_matmul_of_few_bits_whose_columns_are_grouped(assert_like_onnxruntime: Any) -> None:
    groups = integers(0, 2, 64, dtype=np.int32)
    inputs = [floats(2, 64), integers(0, 255, 5, 2, 16, dtype=np.uint8), floats(10), None, groups, floats(5)]
    attributes = {"K": 64, "N": 5, "bits": 4, "block_size": 32}
    assert_like_onnxruntime("MatMulNBits", inputs, domain="com.microsoft", tolerance=1e-3, **attributes)


EQUATIONS: dict[str, list[tuple[int, ...]]] = {
    "bij, bjk -> bik": [(2, 4, 3), (2, 3, 5)],
    "...ij,...jk->...ik": [(2, 4, 3), (2, 3, 5)],
    "bhid,bhjd->bhij": [(2, 3, 4, 4), (2, 3, 5, 4)],
    "ij->ji": [(4, 3)],
    "ii->i": [(4, 4)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str, assert_like_onnxruntime: Any) -> None:
    assert_like_onnxruntime("Einsum", [floats(*shape) for shape in EQUATIONS[equation]], equation=equation)
