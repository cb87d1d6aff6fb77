"""Scales and zero points that fit the tensor they quantize."""

from dovetail.ir.door.rules.operator import Dims, Operator


def check_quantization(op: Operator) -> None:
    """The scale is one number, or one for each index of `axis`, or one for each block along it."""
    data, scale, zero_point = op.dims(0), op.dims(1), op.dims(2)
    if scale is None:
        return
    if zero_point is not None and not _agree(scale, zero_point):
        op.refuse(f"its zero point must have the dims of its scale, {list(scale)}", list(zero_point))
    if data is None or _is_one_number(scale):
        return
    axis, rank = op.integer("axis", 1), len(data)
    if not -rank <= axis < rank:
        op.refuse(f"axis must be in [{-rank}, {rank - 1}] for an input of rank {rank}", axis)
    block = op.integer("block_size", 0)
    if block:
        return _check_blocks(op, data, scale, axis % rank, block)
    if len(scale) != 1:
        op.refuse("its scale must have one dimension at most without block_size", f"dims {list(scale)}")
    if not _may_be_equal((data[axis],), scale):
        op.refuse(f"its scale must have {data[axis]} entries, the size of axis {axis}", scale[0])
    return None


def _check_blocks(op: Operator, data: Dims, scale: Dims, axis: int, block: int) -> None:
    if block < 0:
        op.refuse("block_size must not be negative", block)
    size = data[axis]
    blocks = None if size is None else -(-size // block)
    wanted = (*data[:axis], blocks, *data[axis + 1 :])
    if not _may_be_equal(wanted, scale):
        op.refuse(f"its scale must have the dims {list(wanted)}", list(scale))


def _agree(scale: Dims, zero_point: Dims) -> bool:
    # ONNX Runtime's own quantizer writes scale [1] beside zero point []
    return _may_be_equal(scale, zero_point) or (_is_one_number(scale) and _is_one_number(zero_point))


def _is_one_number(dims: Dims) -> bool:
    """A scalar, or a vector that may have one element: runtimes take both for the whole tensor."""
    return dims in ((), (1,), (None,))


def _may_be_equal(a: Dims, b: Dims) -> bool:
    return len(a) == len(b) and all(None in (left, right) or left == right for left, right in zip(a, b, strict=True))
