"""Inputs to try a model on, where the user gives none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx_ir

from dovetail.ir import Graph, tensor_spec
from dovetail.passes.quantize import is_quantize
from dovetail.plan.arrays import read_arrays
from dovetail.plan.errors import RunError
from dovetail.plan.random_feeds import random_feeds

Array = npt.NDArray[np.generic]

_MOVES: Final = frozenset(
    ["Cast", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Tile", "Transpose", "Unsqueeze"]
)
_LIMITS: Final[Mapping[onnx_ir.DataType | None, tuple[int, int]]] = {
    onnx_ir.DataType.UINT8: (0, 255),
    onnx_ir.DataType.INT8: (-128, 127),
}
_FEW: Final = 4
"""A list of fewer values is no table of all that there are."""


def samples_for(graph: Graph, inputs: Path | None, count: int) -> list[dict[str, Array]]:
    """An array for every input of a graph, sample by sample.

    Made up, an input that the model quantizes covers what scale and zero point can hold, as calibration has found it;
    one that a table is looked up by covers the table. Others are as `random_feeds` makes them.

    Args:
        graph: whose inputs are meant.
        inputs: an .npz with an array for each; None to make them up.
        count: of samples that are made up.

    Raises:
        RunError: the file can't be read, lacks an input, or an input can't be made up.
    """
    specs = [tensor_spec(value) for value in graph.inputs]
    if inputs is not None:
        return [_read(inputs, [spec.name for spec in specs])]
    ranges = {value.name or "": found for value in graph.inputs if (found := _range(value)) is not None}
    samples = []
    for seed in range(count):
        feeds = random_feeds(specs, seed)
        draw = np.random.default_rng(seed)
        for name, (low, high) in ranges.items():
            feeds[name] = _drawn(draw, feeds[name], low, high)
        samples.append(feeds)
    return samples


def _read(path: Path, names: Sequence[str]) -> dict[str, Array]:
    given = read_arrays(path, "--verify-inputs")
    for name in names:
        if name not in given:
            has = ", ".join(map(repr, given)) or "nothing"
            raise RunError(f"--verify-inputs '{path}': has no array for input '{name}', it has {has}; add one")
    return {name: given[name] for name in names}


def _range(value: onnx_ir.Value) -> tuple[float, float] | None:
    """The smallest and the largest value of an input that the model can be meant for, where something tells.

    Looked for behind operators that move values or change their type: a QuantizeLinear, whose scale and zero point
    calibration has found; a table that is looked up; a list of all values that are told apart.
    """
    waiting, seen = [value], {value}
    while waiting:
        current = waiting.pop(0)
        for node in current.consumers():
            found = _range_at(node, current)
            if found is not None:
                return found
            if node.op_type in _MOVES and node.inputs[0] is current and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                waiting.append(node.outputs[0])
    return None


def _range_at(node: onnx_ir.Node, value: onnx_ir.Value) -> tuple[float, float] | None:
    inputs = list(node.inputs)
    if is_quantize(node) and inputs[0] is value:
        return _quantized_range(node)
    if node.op_type == "Gather" and len(inputs) > 1 and inputs[1] is value and inputs[0] is not None:
        axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
        size = inputs[0].shape[axis] if inputs[0].shape is not None else None
        return (0.0, size - 1.0) if isinstance(size, int) and size > 0 else None
    if node.op_type == "OneHot" and inputs[0] is value:
        depth = _constant(inputs[1])
        return None if depth is None or depth.size != 1 else (0.0, float(depth.reshape(-1)[0]) - 1.0)
    if node.op_type == "Equal":
        others = [_constant(other) for other in inputs if other is not value]
        known = others[0] if len(others) == 1 else None
        if known is None or known.size < _FEW or known.dtype.kind not in "iuf":
            return None
        return float(known.min()), float(known.max())
    return None


def _quantized_range(node: onnx_ir.Node) -> tuple[float, float] | None:
    scale = _constant(node.inputs[1])
    zero = _constant(node.inputs[2]) if len(node.inputs) > 2 else np.array(0)
    limits = _LIMITS.get(node.outputs[0].dtype)
    if scale is None or zero is None or scale.size != 1 or zero.size != 1 or limits is None:
        return None
    ends = [(bound - zero.item()) * scale.item() for bound in limits]
    return ends[0], ends[1]


def _constant(value: onnx_ir.Value | None) -> Array | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()


def _drawn(draw: np.random.Generator, like: Array, low: float, high: float) -> Array:
    if like.dtype.kind in "iu":
        return draw.integers(int(low), int(high), like.shape, endpoint=True).astype(like.dtype)
    return draw.uniform(low, high, like.shape).astype(like.dtype)
