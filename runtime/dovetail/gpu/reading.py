"""A partition's ONNX as plain Python and tensors of torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from dovetail.gpu.registry import Node

HOST: Final = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What a file holds."""

    constants: Mapping[str, Any]
    """Name -> a tensor on the host, of initializers and Constant nodes."""
    nodes: tuple[tuple[Node, str], ...]
    """With its label, in order; without Constant nodes."""


def read_model(path: Path) -> Read:
    """Read a file and the weights beside it."""
    model = onnx.load(path)
    versions = {_domain(opset.domain): opset.version for opset in model.opset_import}
    constants = {tensor.name: to_torch(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}
    nodes = []
    for node, label in _nodes(model.graph, versions):
        if node.op_type == "Constant" and not node.domain:
            constants[node.outputs[0]] = _constant(node)
        else:
            nodes.append((node, label))
    return Read(constants, tuple(nodes))


def to_torch(array: Any) -> Any:
    """A tensor of an array, with its memory where that may be written to."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array).view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array if array.flags.writeable and array.flags.c_contiguous else np.array(array))


def _nodes(graph: Any, versions: Mapping[str, int]) -> Iterator[tuple[Node, str]]:
    for proto in graph.node:
        domain = _domain(proto.domain)
        attributes = {each.name: _attribute(each) for each in proto.attribute}
        version = versions.get(domain, 1)
        node = Node(proto.op_type, domain, version, attributes, tuple(proto.input), tuple(proto.output), HOST)
        yield node, f"{proto.op_type} {proto.name!r}"


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


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
