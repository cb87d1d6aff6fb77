"""Operators that multiply and accumulate: convolutions, matrix products, recurrent layers, attention.

Each formula returns the multiply-accumulates and the other arithmetic operations, in those of `dovetail.cost.weights`.
"""

import math

from dovetail.cost.sizes import Sizes
from dovetail.cost.weights import ADD, DIV, EXP, SOFTMAX, TANH

Count = tuple[float, float]
"""Multiply-accumulates, other operations."""


def conv(sizes: Sizes) -> Count:
    """`out * C/group * kernel`, and an addition an output where there is a bias. Conv, ConvInteger, FusedConv."""
    return _conv(sizes, weight=1, bias=None if sizes.op.op_type == "ConvInteger" else 2)


def qlinear_conv(sizes: Sizes) -> Count:
    """As `conv`, whose weights are the fourth input and whose bias is the ninth."""
    return _conv(sizes, weight=3, bias=8)


def _conv(sizes: Sizes, weight: int, bias: int | None) -> Count:
    out = sizes.outs()
    added = ADD * out if bias is not None and sizes.has_input(bias) else 0
    return out * math.prod(sizes.in_dims(weight)[1:]), added


def deform_conv(sizes: Sizes) -> Count:
    """As `conv`, and a bilinear sample (8 operations) for each weight position and input channel."""
    out, weights = sizes.out_dims(), sizes.in_dims(1)
    channels = sizes.in_dims(0)[1:2]
    samples = math.prod((*out[:1], *channels, *out[2:], *weights[2:]))
    added = ADD * math.prod(out) if sizes.has_input(3) else 0
    return math.prod(out) * math.prod(weights[1:]), added + 8 * samples


def conv_transpose(sizes: Sizes) -> Count:
    """`in * M/group * kernel`: every element of the input meets every weight of its group once."""
    added = ADD * sizes.outs() if sizes.has_input(2) else 0
    return sizes.ins(0) * math.prod(sizes.in_dims(1)[1:]), added


def gemm(sizes: Sizes) -> Count:
    """`M * N * K`, and an addition an output where C is there."""
    a = sizes.in_dims(0)
    inner = a[0 if sizes.number("transA", 0) else -1] if len(a) > 1 else 1
    return sizes.outs() * inner, ADD * sizes.outs() if sizes.has_input(2) else 0


def matmul(sizes: Sizes) -> Count:
    """`out * K`, K the last dimension of the first input. MatMul, MatMulInteger, QLinearMatMul, FusedMatMul."""
    a = sizes.in_dims(0)
    transposed = sizes.number("transA", 0) and len(a) > 1
    return sizes.outs() * (a[-2 if transposed else -1] if a else 1), 0


def einsum(sizes: Sizes) -> Count:
    """The product of all index ranges for each operand after the first; the same additions for a single operand."""
    terms = sizes.text("equation", "").replace(" ", "").split("->")[0].split(",")
    ranges: dict[str, int] = {}
    for index, term in enumerate(terms):
        for label, dim in _labels(term, sizes.in_dims(index)):
            ranges[label] = max(dim, ranges.get(label, 1))
    total = math.prod(ranges.values())
    return (total * (len(terms) - 1), 0) if len(terms) > 1 else (0, total)


def _labels(term: str, dims: tuple[int, ...]) -> list[tuple[str, int]]:
    """The index letters of one operand with their ranges; those of an ellipsis are counted from its right."""
    before, dots, after = term.partition("...")
    left = list(zip(before, dims, strict=False))
    if not dots:
        return left
    right = list(zip(reversed(after), reversed(dims), strict=False))
    middle = dims[len(before) : len(dims) - len(after)]
    return left + right + [(f"...{number}", dim) for number, dim in enumerate(reversed(middle))]


_GATES = {"LSTM": 8 + 4 + 3 * EXP + 2 * TANH + 4, "GRU": 6 + 3 + 2 * EXP + TANH + 5, "RNN": 2 + 1 + TANH}
"""Operations an element of the hidden state and a step: biases, sums, sigmoids, hyperbolic tangents, blending."""


def recurrent(sizes: Sizes) -> Count:
    """`steps * batch * (|W| + |R|)` over all directions, and the gates. LSTM, GRU, RNN."""
    x = sizes.in_dims(0)
    positions = math.prod(x[:2])
    weights, hidden = sizes.ins(1) + sizes.ins(2), sizes.in_dims(2)
    states = math.prod((*hidden[:1], *hidden[-1:]))
    return positions * weights, positions * states * _GATES[sizes.op.op_type]


def attention(sizes: Sizes) -> Count:
    """`Q K'` and `P V` over all heads, softmax between: ai.onnx Attention of rank 3 or 4, MultiHeadAttention."""
    if sizes.op.op_type == "Attention" and sizes.op.domain == "com.microsoft":
        return _packed_attention(sizes)
    q, k, v = (sizes.in_dims(index) for index in range(3))
    heads = sizes.number("q_num_heads", sizes.number("num_heads", 1))
    if len(q) == 4:
        batch, heads, length, depth = q
        keys, value_depth = (k[-2] if len(k) == 4 else length), (v[-1] if len(v) == 4 else depth)
    else:
        batch, length, width = ((1, 1, 1), q)[len(q) == 3]
        depth = width // max(1, heads)
        keys = k[1] if len(k) == 3 else length
        kv_heads = max(1, sizes.number("kv_num_heads", heads))
        value_depth = v[-1] // kv_heads if len(v) == 3 else depth
    past = sizes.in_dims(4) if sizes.op.domain == "" else ()
    keys += past[-2] if len(past) == 4 else 0
    scores = batch * heads * length * keys
    return scores * (depth + value_depth), scores * SOFTMAX


def _packed_attention(sizes: Sizes) -> Count:
    """com.microsoft's Attention: the projection to Q, K and V, then attention over its own sequence."""
    x, weights = sizes.in_dims(0), sizes.in_dims(1)
    batch, length = (x[0], x[1]) if len(x) == 3 else (1, 1)
    hidden = weights[-1] // 3 if weights else 1
    scores = batch * length * length
    heads = sizes.number("num_heads", 1)
    projection = batch * length * math.prod(weights)
    return projection + 2 * scores * hidden, scores * heads * (EXP + DIV)


def grouped_query_attention(sizes: Sizes) -> Count:
    """com.microsoft's GroupQueryAttention over the length of the keys that it hands on, else its own."""
    q = sizes.in_dims(0)
    present = sizes.out_dims(1)
    batch, length, width = q if len(q) == 3 else (1, 1, 1)
    heads = max(1, sizes.number("num_heads", 1))
    keys = present[2] if len(present) == 4 else length
    if not sizes.has_input(1):  # Q, K and V packed in one
        width = width * heads // (heads + 2 * sizes.number("kv_num_heads", heads))
    scores = batch * length * keys
    return 2 * scores * width, scores * heads * SOFTMAX


def affine_grid(sizes: Sizes) -> Count:
    """One product of a position with the matrix: positions * coordinates * (coordinates + 1)."""
    out = sizes.out_dims()
    return math.prod(out) * ((out[-1] if out else 2) + 1), 0
