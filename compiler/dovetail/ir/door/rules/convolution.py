"""Convolutions and pools: windows, channels and groups that fit together."""

from collections.abc import Sequence

from dovetail.ir.door.budgets import MAX_DIM, MAX_PAD, MAX_RANK
from dovetail.ir.door.rules.operator import Dims, Operator

_WEIGHT = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "DeformConv": 1, "QLinearConv": 3}
_LEADING_DIMS = 2
"""Batch and channels; the dimensions after them are spatial."""


def check_windows(op: Operator) -> None:
    """Ranks of input and weight agree, and each window attribute has one entry for each spatial dimension.

    Native shape inference reads beyond the input's shape where the weight's rank is larger.
    """
    rank = op.rank(0)
    weight = op.dims(_WEIGHT[op.node.op_type]) if op.node.op_type in _WEIGHT else None
    kernel = op.integers("kernel_shape")
    if rank is not None and weight is not None and rank != len(weight):
        op.refuse(f"its weight must have the rank of its input, {rank}", len(weight))
    ranks = [rank, None if weight is None else len(weight), None if kernel is None else len(kernel) + 2]
    rank = next((known for known in ranks if known is not None), None)
    if rank is not None and not _LEADING_DIMS < rank <= MAX_RANK:
        op.refuse(f"its input must have a rank in [{_LEADING_DIMS + 1}, {MAX_RANK}]", rank)
    spatial = None if rank is None else rank - _LEADING_DIMS
    for name, low, high, length in (
        ("kernel_shape", 1, MAX_DIM, spatial),
        ("strides", 1, MAX_DIM, spatial),
        ("dilations", 1, MAX_DIM, spatial),
        ("output_padding", 0, MAX_PAD, spatial),
        ("output_shape", 0, MAX_DIM, None),
        ("pads", 0, MAX_PAD, None if spatial is None else 2 * spatial),
    ):
        _check_entries(op, name, low, high, length)


def check_conv(op: Operator) -> None:
    """Channels = weight channels x group, group divides the filters, and the kernel fits the padded input."""
    group, data = _group(op), op.dims(0)
    weight = op.dims(_WEIGHT[op.node.op_type])
    if weight is None:
        return
    filters, per_group = weight[:2]
    if filters is not None and filters % group:
        op.refuse(f"group must divide its {filters} filters", f"group {group}")
    if data is not None and data[1] is not None and per_group is not None and data[1] != per_group * group:
        op.refuse(
            f"its weight takes {per_group} channels in each of {group} groups, {per_group * group} in all",
            f"an input with {data[1]}",
        )
    if op.node.op_type == "Conv":
        _check_bias(op, filters)
    kernel = _check_kernel(op, weight)
    if data is not None and op.node.op_type != "DeformConv":
        _check_fits(op, data[2:], kernel)


def check_conv_transpose(op: Operator) -> None:
    """Channels = filters of the weight, and group divides them."""
    group, data, weight = _group(op), op.dims(0), op.dims(1)
    if weight is None:
        return
    filters, per_group = weight[:2]
    if filters is not None and filters % group:
        op.refuse(f"group must divide its {filters} filters", f"group {group}")
    if data is not None and None not in (data[1], filters) and data[1] != filters:
        op.refuse(f"its weight takes {filters} channels", f"an input with {data[1]}")
    _check_bias(op, None if per_group is None else per_group * group)
    _check_kernel(op, weight)


def check_pool(op: Operator) -> None:
    """The padding is smaller than the window, and the window fits the padded input."""
    kernel, pads, data = op.integers("kernel_shape"), op.integers("pads"), op.dims(0)
    if kernel is None:
        return
    if pads is not None and any(pad >= size for pad, size in zip(pads, kernel * 2, strict=True)):
        op.refuse(f"pads must be smaller than kernel_shape {list(kernel)}", list(pads))
    if data is not None:
        _check_fits(op, data[2:], kernel)


def _group(op: Operator) -> int:
    group = op.integer("group", 1)
    if not 1 <= group <= MAX_DIM:
        op.refuse("group must be at least 1", group)
    return group


def _check_entries(op: Operator, name: str, low: int, high: int, length: int | None) -> None:
    entries = op.integers(name)
    if not entries:
        return
    if length is not None and len(entries) != length:
        op.refuse(f"{name} must have {length} entries", list(entries[: 2 * MAX_RANK]))
    if len(entries) > 2 * MAX_RANK:
        op.refuse(f"{name} must have at most {2 * MAX_RANK} entries", len(entries))
    if not all(low <= entry <= high for entry in entries):
        op.refuse(f"{name} must be in [{low}, {high}]", list(entries))


def _check_bias(op: Operator, filters: int | None) -> None:
    bias = op.dims(2)
    if bias is not None and filters is not None and bias not in ((filters,), (None,)):
        op.refuse(f"its bias must have the dims [{filters}]", list(bias))


def _check_kernel(op: Operator, weight: Dims) -> Dims:
    """`kernel_shape` says what the weight says. Returns the kernel's sizes."""
    stated, actual = op.integers("kernel_shape"), weight[2:]
    if stated and any(b is not None and a != b for a, b in zip(stated, actual, strict=True)):
        op.refuse(f"kernel_shape must be that of its weight, {list(actual)}", list(stated))
    return actual


def _check_fits(op: Operator, sizes: Dims, kernel: Sequence[int | None]) -> None:
    """Without automatic padding the dilated kernel must not be larger than the padded input."""
    if op.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return
    spatial = len(sizes)
    padded = op.text("auto_pad", "NOTSET") == "NOTSET"
    pads = (op.integers("pads") if padded else None) or (0,) * (2 * spatial)
    dilations = op.integers("dilations") or (1,) * spatial
    for axis, (size, window) in enumerate(zip(sizes, kernel, strict=True)):
        if size is None or window is None:
            continue
        room = size + pads[axis] + pads[axis + spatial]
        reach = (window - 1) * dilations[axis] + 1
        if reach > room:
            op.refuse(f"its kernel reaches over {reach} in spatial dimension {axis}", f"a padded input of {room}")
