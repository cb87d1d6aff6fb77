"""From a partition's ONNX to a program of torch."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from dovetail.gpu.program import Program, Step
from dovetail.gpu.registry import Entry, Node, table
from dovetail.runtime.sessions import DeviceFailure

_FAMILIES: Final = (
    "conv_pool", "elementwise", "indexing", "linear", "normalise", "quantize", "reduce", "resize", "shapes",
)  # fmt: skip
_STARTS_ON_HOST: Final = {"Shape", "Size", "ConstantOfShape", "Range"}
_SMALL: Final = 1024
"""Elements of a constant that may take part in a computation of shapes."""


@dataclass(slots=True, eq=False)
class _Lowering:
    """What is known while the nodes are gone through in order."""

    constants: dict[str, Any] = field(default_factory=dict)
    """Name -> a tensor on the host."""
    host: set[str] = field(default_factory=set)
    """Names of values that are computed on the host at run time."""
    places: dict[tuple[str, bool], int] = field(default_factory=dict)
    """(name, whether on the host) -> slot; a constant may have one of each."""
    slots: list[Any] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    can_capture: bool = True


def lower(model: Path, inputs: Sequence[str], outputs: Sequence[str], device: torch.device) -> Program:
    """Read a partition and lower it.

    Raises:
        DeviceFailure: If the table lacks an operator of it.
    """
    for family in _FAMILIES:
        importlib.import_module(f"dovetail.gpu.operators.{family}")
    read = onnx.load(model)
    versions = {opset.domain.replace("ai.onnx", "", 1): opset.version for opset in read.opset_import}
    state = _Lowering({tensor.name: _tensor(tensor) for tensor in read.graph.initializer})
    for name in inputs:
        _place(state, name, False, device)
    for proto in read.graph.node:
        _lower_node(state, proto, versions, device)
    wanted = tuple(_place(state, name, name in state.host, device) for name in outputs)
    fed = tuple(state.places[name, False] for name in inputs)
    state.can_capture &= not any(name in state.host for name in outputs)
    return Program(device, tuple(state.slots), fed, wanted, _with_last_uses(state, wanted), state.can_capture)


def _lower_node(state: _Lowering, proto: Any, versions: dict[str, int], device: torch.device) -> None:
    node = _node(proto, versions)
    if node.op_type == "Constant" and not node.domain:
        state.constants[node.outputs[0]] = _constant(node)
        return
    entry = table().get((node.domain, node.op_type))
    if entry is None:
        raise DeviceFailure(f"operator {node.domain or 'ai.onnx'}:{node.op_type}: the PyTorch backend has no kernel")
    kernel = entry.build(node)
    given = [name for name in node.inputs if name]
    if given and all(name in state.constants for name in given):
        results = kernel([state.constants[name] if name else None for name in node.inputs])
        state.constants |= {name: value for name, value in zip(node.outputs, results, strict=False) if name}
        return
    whole = _is_on_host(state, node, entry)
    on_host = tuple(_reads_on_host(node, entry, index, whole) for index in range(len(node.inputs)))
    sources = tuple(
        _source(state, name, host, device) if name else None for name, host in zip(node.inputs, on_host, strict=True)
    )
    state.host |= set(node.outputs) if whole else set()
    fills = tuple(_place(state, name, whole, device) if name else None for name in node.outputs)
    state.steps.append(Step(f"{node.op_type} {proto.name!r}", kernel, sources, on_host, fills, ()))


def _is_on_host(state: _Lowering, node: Node, entry: Entry) -> bool:
    """Whether the node computes with shapes: all that it reads is on the host or a small constant."""
    if node.op_type in _STARTS_ON_HOST:
        return True
    given = [name for name in node.inputs if name]
    small = [name in state.constants and state.constants[name].numel() <= _SMALL for name in given]
    hosted = [name in state.host for name in given]
    return any(hosted[:1] if 0 not in entry.host else hosted) and all(map(max, small, hosted)) if given else False


def _reads_on_host(node: Node, entry: Entry, index: int, whole: bool) -> bool:
    if node.op_type in {"Shape", "Size"}:
        return False  # they look at what the tensor is, not at what is in it
    return whole or index in entry.host


def _source(state: _Lowering, name: str, host: bool, device: torch.device) -> int:
    if name in state.constants:
        return _place(state, name, host, device)
    made_on_host = name in state.host
    # a tensor on its way between host and device can't be a part of a graph of CUDA
    state.can_capture &= made_on_host == host
    return _place(state, name, made_on_host, device)


def _place(state: _Lowering, name: str, host: bool, device: torch.device) -> int:
    """The slot of a value, made on first sight."""
    key = (name, host)
    if key not in state.places:
        state.places[key] = len(state.slots)
        value = state.constants.get(name)
        state.slots.append(value if value is None or host else value.to(device))
    return state.places[key]


def _with_last_uses(state: _Lowering, kept: Sequence[int]) -> tuple[Step, ...]:
    seen = {slot for slot, value in enumerate(state.slots) if value is not None} | set(kept)
    steps = []
    for step in reversed(state.steps):
        used = {slot for slot in (*step.inputs, *step.outputs) if slot is not None} - seen
        seen |= used
        steps.append(replace(step, last_use=tuple(sorted(used))))
    return tuple(reversed(steps))


def _node(proto: Any, versions: dict[str, int]) -> Node:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    attributes = {each.name: _attribute(each) for each in proto.attribute}
    return Node(proto.op_type, domain, versions.get(domain, 1), attributes, tuple(proto.input), tuple(proto.output))


def _attribute(proto: Any) -> Any:
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str | int | float):
        return value
    return [each.decode() if isinstance(each, bytes) else each for each in value]


def _constant(node: Node) -> Any:
    ((name, value),) = node.attributes.items()
    kind = np.float32 if name.startswith("value_float") else np.int64
    return to_torch(value if name == "value" else np.array(value, dtype=kind))


def _tensor(proto: Any) -> Any:
    return to_torch(numpy_helper.to_array(proto))


def to_torch(array: Any) -> Any:
    """A tensor of an array, with its memory where that may be written to."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else np.array(array))
