"""The partitions of a written plan, joined again into the graph that was cut, for programs that show graphs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
import onnx_ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from dovetail.ir import tensor_spec, value_info
from dovetail.plan import Plan, PlanError, PlanPartition, TensorSpec, open_inside, shown

PARTITION: Final = "dovetail.partition"
"""The property of a node that names its partition."""
_MAX_MODEL_BYTES: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class JoinedNode:
    """An operator of the compiled graph, with its place among the others."""

    name: str
    op_type: str
    partition: str
    inputs: tuple[str, ...]
    """Tensors, an empty name for one that is left out; then what its bodies read from outside."""
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinedGraph:
    """The compiled graph of a plan, of its first batch size if it has several."""

    nodes: tuple[JoinedNode, ...]
    """In run order."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: frozenset[str]
    tensors: Mapping[str, TensorSpec]
    """Every tensor whose type is known."""


def join_partitions(plan: Plan, folder: Path) -> onnx.ModelProto:
    """The model that the partitions of a plan were cut from.

    Args:
        plan: as it was read from the folder.
        folder: the plan's.

    Returns:
        A model in run order whose nodes have their partition as a property; those without a name get one. Large
        weights stay where they are: their locations are relative to the folder of the partitions.

    Raises:
        PlanError: if a partition's file can't be read.
    """
    whole = onnx.ModelProto(producer_name="dovetail", graph=onnx.GraphProto(name=plan.model.graph or "model"))
    opsets: dict[str, int] = {}
    declared: dict[str, onnx.ValueInfoProto] = {}
    constants: dict[str, onnx.TensorProto] = {}
    for partition in plan.partitions:
        model = _read(partition, folder)
        whole.ir_version = max(whole.ir_version, model.ir_version)
        opsets.update((entry.domain, entry.version) for entry in model.opset_import)
        graph = model.graph
        for value in (*graph.input, *graph.output, *graph.value_info):
            declared.setdefault(value.name, value)
        for tensor in graph.initializer:
            constants.setdefault(tensor.name, tensor)
        for number, node in enumerate(graph.node):
            node.name = node.name or f"{partition.id}#{number}"
            set_property(node, PARTITION, partition.id)
        whole.graph.node.extend(graph.node)
    for domain, version in opsets.items():
        whole.opset_import.add(domain=domain, version=version)
    ends = [spec.name for spec in (*plan.inputs, *plan.outputs)]
    declared.update((spec.name, value_info(spec)) for spec in plan.inputs if spec.name not in declared)
    whole.graph.input.extend(declared[spec.name] for spec in plan.inputs)
    whole.graph.output.extend(declared[spec.name] for spec in plan.outputs)
    whole.graph.value_info.extend(value for name, value in declared.items() if name not in ends)
    whole.graph.initializer.extend(constants.values())
    return whole


def describe_graph(model: onnx.ModelProto) -> JoinedGraph:
    """What `join_partitions` has made, as plain data."""
    graph = model.graph
    specs = {tensor.name: _constant_spec(tensor) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        specs[value.name] = tensor_spec(onnx_ir.serde.deserialize_value_info_proto(value, None))
    return JoinedGraph(
        nodes=tuple(
            JoinedNode(
                node.name,
                node.op_type,
                next(entry.value for entry in node.metadata_props if entry.key == PARTITION),
                (*node.input, *_captured(node)),
                tuple(node.output),
            )
            for node in graph.node
        ),
        inputs=tuple(value.name for value in graph.input),
        outputs=tuple(value.name for value in graph.output),
        constants=frozenset(tensor.name for tensor in graph.initializer),
        tensors=specs,
    )


def set_property(node: onnx.NodeProto, key: str, value: str) -> None:
    """Give a node a property, in place of another of this name."""
    entry = next((entry for entry in node.metadata_props if entry.key == key), None)
    if entry is None:
        entry = node.metadata_props.add(key=key)
    entry.value = value


def _read(partition: PlanPartition, folder: Path) -> onnx.ModelProto:
    what = f"partition {shown(partition.id)}"
    with open_inside(folder, partition.file, what=what, error=PlanError) as file:
        data = file.read(_MAX_MODEL_BYTES)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as problem:
        label = f"{what}: file {shown(partition.file)}"
        raise PlanError(f"{label} is not an ONNX model; compile the model again") from problem
    return model


def _constant_spec(tensor: onnx.TensorProto) -> TensorSpec:
    kind = onnx_ir.DataType(tensor.data_type)
    shape = onnx_ir.Shape(tuple(tensor.dims))
    return tensor_spec(onnx_ir.Value(name=tensor.name, type=onnx_ir.TensorType(kind), shape=shape))


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """The tensors that the bodies of a node read from outside, each once, in order of first use."""
    inside: set[str] = {""}
    read: dict[str, None] = {}
    waiting = _bodies(node)
    for graph in waiting:  # grows while it is walked: no recursion, whatever the depth
        inside.update(value.name for value in graph.input)
        inside.update(tensor.name for tensor in graph.initializer)
        for inner in graph.node:
            inside.update(inner.output)
            read.update(dict.fromkeys(inner.input))
            waiting += _bodies(inner)
        read.update(dict.fromkeys(value.name for value in graph.output))
    yield from (name for name in read if name not in inside)


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [graph for each in node.attribute for graph in ((each.g,) if each.HasField("g") else each.graphs)]
