"""Models, their inputs and outputs, as onnxruntime describes them."""

from dataclasses import dataclass
from typing import Final

from dovetail.plan import Dim, TensorSpec

_ONNX_NAMES: Final = {"float32": "float", "float64": "double"}


@dataclass(frozen=True, slots=True)
class NodeArg:
    """An input or output of a model, like onnxruntime's class of this name."""

    name: str
    type: str
    """For example `tensor(float)`."""
    shape: list[Dim]
    """Sizes, names of symbolic sizes, None where nothing is known; empty also where the rank is unknown."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What stands in a model file about the model, like onnxruntime's class of this name."""

    producer_name: str
    graph_name: str
    domain: str
    description: str
    version: int
    custom_metadata_map: dict[str, str]


def node_arg(spec: TensorSpec) -> NodeArg:
    """The description of a plan's input or output."""
    return NodeArg(spec.name, f"tensor({_ONNX_NAMES.get(spec.dtype, spec.dtype)})", list(spec.shape or ()))
