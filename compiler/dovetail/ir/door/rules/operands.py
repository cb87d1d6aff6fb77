"""Operands whose sizes ONNX's own inference does not compare: runtimes refuse them only when they run."""

from dovetail.ir.door.rules.operator import Dims, Operator

_GATES = {"GRU": 3, "LSTM": 4, "RNN": 1}
_SLOPES_SPREAD_SINCE = 7
"""Before this opset a PRelu's slope was a vector over the channels."""


def check_gemm_bias(op: Operator) -> None:
    """C spreads over the product: each of its sizes is 1 or that of the product."""
    a, b, c = op.dims(0), op.dims(1), op.dims(2)
    if a is None or b is None or c is None:
        return
    product = (a[1 if op.integer("transA", 0) else 0], b[0 if op.integer("transB", 0) else 1])
    if not all(_fits(size, whole) for size, whole in zip(reversed(c), reversed(product), strict=False)):
        op.refuse(f"C must spread over its product, {_shown(product)}", _shown(c))


def check_slope(op: Operator) -> None:
    """The slope spreads over the input, or, as ONNX Runtime has it, the input over the slope, in each dimension."""
    data, slope = op.dims(0), op.dims(1)
    if op.version < _SLOPES_SPREAD_SINCE or data is None or slope is None:
        return
    if not all(_fits(a, b) or _fits(b, a) for a, b in zip(reversed(slope), reversed(data), strict=False)):
        op.refuse(f"its slope must spread over its input, {_shown(data)}", _shown(slope))


def check_recurrent(op: Operator) -> None:
    """W, R and B are those of the directions, the gates, the hidden size, and the size of a step of X."""
    data, weights, again = op.dims(0), op.dims(1), op.dims(2)
    directions = 2 if op.text("direction", "forward") == "bidirectional" else 1
    hidden = op.integer("hidden_size", 0) or (again[-1] if again else None)
    rows = None if hidden is None else _GATES[op.node.op_type] * hidden
    wanted = (
        ("W", weights, (directions, rows, data[-1] if data else None)),
        ("R", again, (directions, rows, hidden)),
        ("B", op.dims(3), (directions, None if rows is None else 2 * rows)),
    )
    for name, dims, expected in wanted:
        if dims is not None and not _agree(dims, expected):
            op.refuse(f"{name} must have the dims {_shown(expected)}", _shown(dims))


def _fits(small: int | None, large: int | None) -> bool:
    return small in (1, large) or None in (small, large)


def _agree(dims: Dims, expected: Dims) -> bool:
    same_rank = len(dims) == len(expected)
    return same_rank and all(a == b or None in (a, b) for a, b in zip(dims, expected, strict=True))


def _shown(dims: Dims) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in dims)}]"
