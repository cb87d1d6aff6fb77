"""Types and shapes for every value, found without touching the weights."""

import onnx
import onnx_ir

from dovetail.ir.loops import infer_carried_shapes
from dovetail.ir.names import all_nodes
from dovetail.ir.native import infer_shapes
from dovetail.ir.nested import bodies, nested_graphs
from dovetail.ir.schema import op_schema, opset_version
from dovetail.ir.values import in_memory

KEPT_ELEMENTS = 1024
"""Constants up to this many elements are shown to shape inference: shapes, axes and the like are never longer."""


def infer(model: onnx_ir.Model, name: str) -> bool:
    """Fill in the types and shapes that inference finds; what is known already is only ever made more precise.

    Returns whether anything was learnt. Time is linear in nodes, plus about 0.03 s to start the child process. It is
    asked once, and where a Loop carries values of unknown shape up to `dovetail.ir.loops.MAX_ROUNDS` times more, and
    once again if that found any.

    Raises:
        ModelError: inference crashed, or ran out of memory or time. Types that contradict each other pass.
    """
    learnt = _infer_once(model, name)
    if infer_carried_shapes(model, lambda: _infer_once(model, name)):
        learnt = True
        _infer_once(model, name)
    return learnt


def _infer_once(model: onnx_ir.Model, name: str) -> bool:
    inferred = infer_shapes(without_weights(model).SerializeToString(), name)
    found = {info.name: info for graph in graphs_of(inferred.graph) for info in [*graph.value_info, *graph.output]}
    learnt = False
    for value in _values(model):
        info = found.get(str(value.name))
        if info is not None and info.HasField("type"):
            learnt |= _learn(value, info.type)
    return learnt


def correct_shapes(model: onnx_ir.Model, name: str) -> None:
    """Put right every declared shape that inference from the inputs and the constants alone contradicts.

    Exporters declare wrong ones, and the whole model runs all the same: ONNX Runtime doubts both. A partition that is
    cut there, and has the wrong one as its input's, takes nothing. Linear in nodes; costs are of the true sizes then.

    Raises:
        ModelError: as `infer`.
    """
    outputs = [value for node in model.graph for value in node.outputs if value.shape is not None]
    if not outputs:
        return
    inferred = infer_shapes(without_weights(model, declared=False).SerializeToString(), name).graph
    found = {info.name: info.type for info in [*inferred.value_info, *inferred.output] if info.HasField("type")}
    for value in outputs:
        kind = found.get(str(value.name))
        shape = None if kind is None else onnx_ir.serde.deserialize_type_proto_for_shape(kind)
        if shape is not None and _contradict(shape, value.shape):
            value.shape = shape


def forget_shapes(model: onnx_ir.Model) -> None:
    """Drop the shape of every value that a node makes or gives its bodies, so that inference starts anew.

    Shapes that were inferred for other input sizes are worse than none. Those of operators that ONNX does not define
    stay: inference can't find them again.
    """
    for node in all_nodes(model.graph):
        if op_schema(node.op_type, node.domain, opset_version(model, node.domain)).outputs:
            for value in [*node.outputs, *(value for _, body in bodies(node) for value in body.inputs)]:
                value.shape = None


def _values(model: onnx_ir.Model) -> list[onnx_ir.Value]:
    """Every value of the model that is not a constant."""
    graphs = [model.graph, *(inner for node in model.graph for inner in nested_graphs(node))]
    values = [value for graph in graphs for value in graph.inputs]
    values += [value for graph in graphs for node in graph for value in node.outputs]
    return values


def _learn(value: onnx_ir.Value, proto: onnx.TypeProto) -> bool:
    learnt = False
    if value.type is None:
        value.type = onnx_ir.serde.deserialize_type_proto_for_type(proto)
        learnt = value.type is not None
    shape = onnx_ir.serde.deserialize_type_proto_for_shape(proto)
    if shape is not None and _more_precise(shape, value.shape):
        value.shape, learnt = shape, True
    return learnt


def _more_precise(new: onnx_ir.Shape, old: onnx_ir.Shape | None) -> bool:
    if old is None or len(old) != len(new):
        return True
    known = [(isinstance(a, int), isinstance(b, int)) for a, b in zip(new, old, strict=True)]
    return any(a and not b for a, b in known) and not any(b and not a for a, b in known)


def _contradict(new: onnx_ir.Shape, old: onnx_ir.Shape | None) -> bool:
    if old is None or len(old) != len(new):
        return old is not None
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(new, old, strict=True))


def graphs_of(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """A graph and every graph inside it, itself first."""
    found = [graph]
    for outer in found:
        for node in outer.node:
            for attribute in node.attribute:
                found.extend([attribute.g] if attribute.HasField("g") else attribute.graphs)
    return found


def without_weights(model: onnx_ir.Model, declared: bool = True) -> onnx.ModelProto:
    """The model with big constants turned into inputs of the same type: same shapes, next to no bytes.

    Args:
        model: to be asked about.
        declared: with the types of what nodes make and of what bodies are given, where they are known.
    """
    graph = model.graph
    proto = onnx.GraphProto(name="g")
    proto.node.extend(onnx_ir.serde.serialize_node(node) for node in graph)
    proto.input.extend(onnx_ir.serde.serialize_value(value) for value in graph.inputs)
    if declared:
        proto.output.extend(_declare(value) for value in graph.outputs)
        made = (value for node in graph for value in node.outputs)
        proto.value_info.extend(_declare(value) for value in made if value.name and value.type is not None)
    else:
        proto.output.extend(onnx.ValueInfoProto(name=str(value.name)) for value in graph.outputs)
        _forget_in_bodies(proto)
    for value in graph.initializers.values():
        _add_constant(proto, value)
    _show_to_bodies(proto)
    result = onnx.ModelProto(ir_version=max(model.ir_version, 4), graph=proto)
    for domain, version in model.opset_imports.items():
        result.opset_import.add(domain=domain, version=version)
    return result


def _forget_in_bodies(graph: onnx.GraphProto) -> None:
    for body in graphs_of(graph)[1:]:
        del body.value_info[:]
        for info in [*body.input, *body.output]:
            info.ClearField("type")


def _add_constant(proto: onnx.GraphProto, value: onnx_ir.Value) -> None:
    tensor = value.const_value
    assert tensor is not None
    if tensor.size > KEPT_ELEMENTS:
        shape = list(tensor.shape.numpy())
        proto.input.append(onnx.helper.make_tensor_value_info(str(value.name), tensor.dtype.value, shape))
        return
    small = onnx_ir.serde.serialize_tensor(in_memory(tensor))
    small.name = str(value.name)
    proto.initializer.append(small)


def _show_to_bodies(graph: onnx.GraphProto) -> None:
    """Repeat small constants in the bodies that read them: inference looks at no value from outside a body."""
    small = {tensor.name: tensor for tensor in graph.initializer}
    for body in graphs_of(graph)[1:]:
        own = {value.name for value in body.input}.union(*(node.output for node in body.node))
        read = dict.fromkeys(name for node in body.node for name in node.input)
        body.initializer.extend(small[name] for name in read if name in small and name not in own)


def _declare(value: onnx_ir.Value) -> onnx.ValueInfoProto:
    if value.type is None:
        return onnx.ValueInfoProto(name=str(value.name))
    return onnx_ir.serde.serialize_value(value)
