"""Operators that are told a shape: it has a sane length and the right number of elements."""

import math

from dovetail.ir.door.budgets import MAX_RANK, MAX_SPLIT_OUTPUTS
from dovetail.ir.door.rules.operator import Dims, Operator

SHAPE_INPUTS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "MaxUnpool": (2,),
    "Pad": (1, 3),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Squeeze": (1,),
    "Tile": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
"""Inputs that hold one number for each dimension (or two: Pad, Resize's region)."""

_MAX_ENTRIES = 2 * MAX_RANK


def check_shape_vectors(op: Operator) -> None:
    """Inputs that hold a shape are vectors no longer than a rank may be: inference makes one size of each."""
    for index in SHAPE_INPUTS[op.node.op_type]:
        dims = op.dims(index)
        if dims is None:
            continue
        if len(dims) > 1:
            op.refuse(f"input {index} must be a vector", f"rank {len(dims)}")
        limit = _MAX_ENTRIES if op.node.op_type in ("Pad", "Resize") else MAX_RANK
        if dims and dims[0] is not None and dims[0] > limit:
            op.refuse(f"input {index} must have at most {limit} entries, ranks go to {MAX_RANK}", dims[0])


def check_reshape(op: Operator) -> None:
    """The new shape has as many elements as the input."""
    data, target = op.dims(0), op.constant(1)
    if target is None or target.ndim != 1:
        return
    shape = [int(size) for size in target]
    if min(shape, default=0) < -1 or shape.count(-1) > 1:
        op.refuse("its shape must hold sizes, and -1 at most once", shape)
    if data is None:
        return
    wanted = _with_copies(op, shape, data)
    if None in data or None in wanted:
        return
    count = math.prod(size for size in data if size is not None)
    known = math.prod(size for size in wanted if size is not None and size != -1)
    fits = (known != 0 and count % known == 0) if -1 in wanted else count == known
    if not fits:
        op.refuse(f"its shape must hold the {count} elements of its input {list(data)}", shape)


def _with_copies(op: Operator, shape: list[int], data: Dims) -> list[int | None]:
    """The target with each 0 replaced by the input's size at that place, as Reshape does unless `allowzero`."""
    if op.integer("allowzero", 0):
        return list(shape)
    if any(size == 0 and axis >= len(data) for axis, size in enumerate(shape)):
        op.refuse(f"a 0 in its shape copies a size of its input, which has rank {len(data)}", shape)
    return [data[axis] if size == 0 else size for axis, size in enumerate(shape)]


def check_split(op: Operator) -> None:
    """`num_outputs` is the number of outputs."""
    outputs = len(op.node.outputs)
    wanted = op.integer("num_outputs", outputs)
    if outputs > MAX_SPLIT_OUTPUTS or wanted > MAX_SPLIT_OUTPUTS:
        op.refuse(f"num_outputs must be at most {MAX_SPLIT_OUTPUTS}", max(outputs, wanted))
    if wanted != outputs:
        op.refuse(f"num_outputs must be the number of its outputs, {outputs}", wanted)


def check_gemm_ranks(op: Operator) -> None:
    """A and B are matrices, and C is at most one. Native shape inference takes it for granted."""
    for index, name in enumerate("AB"):
        rank = op.rank(index)
        if rank is not None and rank != len("MN"):
            op.refuse(f"{name} must be a matrix", f"rank {rank}")
    rank = op.rank(2)
    if rank is not None and rank > len("MN"):
        op.refuse("C must have rank 2 at most", f"rank {rank}")
