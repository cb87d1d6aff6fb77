"""Loading: from a file, bytes or a ModelProto to a Graph. The only door for a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir
import onnx_ir.passes.common as onnx_ir_passes

from dovetail.ir.binding import Bindings, apply_bindings
from dovetail.ir.calls import mark_calls, name_after_calls
from dovetail.ir.door import attach_base_dir, open_model
from dovetail.ir.graph import Graph
from dovetail.ir.infer import correct_shapes, forget_shapes, infer
from dovetail.ir.judging import check_operators
from dovetail.ir.names import all_nodes, give_unique_value_names
from dovetail.ir.semantics import check_before_inference, check_semantics
from dovetail.plan.errors import DovetailError, ModelError

_FREE = Bindings()


def load_model(source: str | Path | bytes | onnx.ModelProto, bindings: Bindings = _FREE) -> Graph:
    """Read an untrusted model into a graph.

    Every check of the door runs before a library resolves anything. Functions are inlined, constants are
    initializers of the top graph, an initializer that is also listed as an input is a constant, and every value has
    the type and shape that inference finds. External data stays mapped: time and memory do not grow with weights.

    Args:
        source: a path, the bytes of a model, or a ModelProto. Only a path may have external data.
        bindings: what the user fixes.

    Raises:
        ModelError: anything that is wrong with the model or the bindings, in one line.
    """
    opened = open_model(source)
    model = _to_ir(opened.proto, opened.name)
    if opened.base_dir is not None:
        attach_base_dir(model, opened.base_dir)
    _normalize(model, opened.name)
    apply_bindings(model, bindings)
    if bindings:
        forget_shapes(model)
    check_before_inference(model)
    correct_shapes(model, opened.name)
    infer(model, opened.name)
    check_semantics(model)
    check_operators(model)
    graph = Graph(model, name=opened.name, sha256=opened.sha256)
    graph.bindings = bindings.as_text()
    return graph


@dataclass(frozen=True, slots=True)
class Fixable:
    """What `Bindings` can fix of a model, by name, each once."""

    inputs: tuple[str, ...]
    dims: tuple[str, ...]
    """The symbolic dimensions of the inputs."""


def fixable(source: str | Path) -> Fixable:
    """What bindings can fix of a model; raises ModelError where it can't be read. Nothing is inferred."""
    graph = open_model(source).proto.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    dims = (dim.dim_param for value in inputs for dim in value.type.tensor_type.shape.dim)
    return Fixable(tuple(value.name for value in inputs), tuple(dict.fromkeys(filter(None, dims))))


def bound_arrays(source: str | Path, bindings: Bindings) -> dict[str, npt.NDArray[np.generic]]:
    """The constants that bindings make of a model's inputs, by the input's name; as `load_model`."""
    if not bindings.binds:
        return {}
    constants = load_model(source, bindings).initializers
    tensors = {name: constants[name].const_value for name in bindings.binds}
    return {name: tensor.numpy() for name, tensor in tensors.items() if tensor is not None}


def _to_ir(proto: onnx.ModelProto, name: str) -> onnx_ir.Model:
    try:
        return onnx_ir.from_proto(proto)
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        raise ModelError(f"model '{name}': {type(error).__name__}: {words}; export it again") from error


def _normalize(model: onnx_ir.Model, name: str) -> None:
    """One form for what ONNX lets be said in several ways."""
    _apply(onnx_ir_passes.RemoveInitializersFromInputsPass(), model, name)
    if model.functions:
        mark_calls(model)
        _apply(onnx_ir_passes.InlinePass(), model, name)
        _apply(onnx_ir_passes.RemoveUnusedFunctionsPass(), model, name)  # type: ignore[no-untyped-call]
        name_after_calls(model)
    _apply(onnx_ir_passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0), model, name)
    _apply(onnx_ir_passes.LiftSubgraphInitializersToMainGraphPass(), model, name)
    give_unique_value_names(model.graph)
    _hold_attribute_tensors(model)


def _apply(step: onnx_ir.passes.PassBase, model: onnx_ir.Model, name: str) -> None:
    try:
        step(model)
    except DovetailError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise ModelError(f"model '{name}': {type(step).__name__} failed: {words}; export it again") from error


def _hold_attribute_tensors(model: onnx_ir.Model) -> None:
    """Bring external tensors that are still attributes into memory: a node must not point into another folder."""
    for node in all_nodes(model.graph):
        for attribute in list(node.attributes.values()):
            if attribute.type == onnx_ir.AttributeType.TENSOR and isinstance(attribute.value, onnx_ir.ExternalTensor):
                held = onnx_ir.Tensor(attribute.value.numpy(), dtype=attribute.value.dtype, name=attribute.value.name)
                node.attributes[attribute.name] = onnx_ir.AttrTensor(attribute.name, held)
