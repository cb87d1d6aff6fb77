"""Axes and indices that stay inside their tensor."""

import numpy as np

from dovetail.ir.door.rules.operator import Operator


def check_axis(op: Operator) -> None:
    """`axis` counts dimensions of the first input, from the front or from the back."""
    rank = op.rank(0)
    if rank is None or "axis" not in op.node.attributes:
        return
    axis = op.integer("axis", 0)
    # Flatten may split behind the last dimension; a scalar is taken as one element of one dimension
    high = rank if op.node.op_type == "Flatten" else max(rank, 1) - 1
    if not -max(rank, 1) <= axis <= high:
        op.refuse(f"axis must be in [{-rank}, {high}] for an input of rank {rank}", axis)


def check_gather(op: Operator) -> None:
    """Constant indices lie in [-size, size) of the axis they index."""
    check_axis(op)
    dims = op.dims(0)
    if dims:
        _check_range(op, dims[op.integer("axis", 0)])


def check_gather_elements(op: Operator) -> None:
    """As `check_gather`, and indices have the rank of the data."""
    data, indices = op.rank(0), op.rank(1)
    if data is not None and indices is not None and data != indices:
        op.refuse(f"its indices must have the rank of its data, {data}", indices)
    check_gather(op)


def check_gather_nd(op: Operator) -> None:
    """Each row of indices addresses at most all dimensions, each inside its size."""
    data, indices = op.dims(0), op.dims(1)
    batch = op.integer("batch_dims", 0)
    if data is None or not indices or indices[-1] is None:
        return
    if not 0 <= batch < len(indices) or batch + indices[-1] > len(data):
        op.refuse(f"its indices address {indices[-1]} dimensions after batch_dims {batch}", f"data of rank {len(data)}")
    values = op.constant(1)
    if values is None or not values.size:
        return
    for column in range(indices[-1]):
        size = data[batch + column]
        if size is not None:
            _check_inside(op, int(values[..., column].min()), int(values[..., column].max()), size)


def _check_range(op: Operator, size: int | None) -> None:
    indices = op.constant(1)
    if size is None or indices is None or not indices.size or not np.issubdtype(indices.dtype, np.integer):
        return
    _check_inside(op, int(indices.min()), int(indices.max()), size)


def _check_inside(op: Operator, smallest: int, largest: int, size: int) -> None:
    if smallest < -size or largest >= size:
        wrong = smallest if smallest < -size else largest
        op.refuse(f"its indices must be in [{-size}, {size - 1}]", f"index {wrong}")
