"""External data: where the bytes of a tensor may lie, and how a loaded model is tied to its folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir
from onnx import TensorProto

from dovetail.plan.errors import ModelError
from dovetail.plan.files import open_inside
from dovetail.plan.naming import shown

_KNOWN_KEYS = frozenset({"location", "offset", "length", "checksum"})
_DECIMAL = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ExternalSlice:
    """A checked piece of a file in the model's folder; `offset` and `length` in bytes."""

    location: str
    offset: int
    length: int


@dataclass(slots=True)
class ExternalFiles:
    """The files beside a model that its tensors may name.

    Every file is opened and checked once, however many tensors lie in it; nothing is read here.
    """

    base_dir: Path | None
    """None for a model that came as bytes: nothing external is allowed then."""
    _sizes: dict[str, int] = field(default_factory=dict)

    @property
    def locations(self) -> list[str]:
        """The files that were checked."""
        return list(self._sizes)

    def check(self, tensor: TensorProto, needed: int, label: str) -> ExternalSlice:
        """Refuse external data that is not exactly the tensor's bytes in a plain file below the folder.

        Args:
            tensor: A tensor with external data.
            needed: The bytes that the tensor's dimensions and type ask for.
            label: The object for the message.
        """
        entries = _entries(tensor, label)
        if "location" not in entries:
            raise ModelError(f"{label}: its external data names no location; export the model again")
        offset = _decimal(entries.get("offset", "0"), "offset", label)
        length = _decimal(entries.get("length", str(needed)), "length", label)
        if length != needed:
            raise ModelError(
                f"{label}: its external data has length {length}, its dims and type need {needed}; "
                "export the model again"
            )
        size = self._size(entries["location"], label)
        if offset + length > size:
            raise ModelError(
                f"{label}: its external data ends at byte {offset + length}, the file "
                f"{shown(entries['location'])} has {size}; get the whole file"
            )
        return ExternalSlice(entries["location"], offset, length)

    def read(self, piece: ExternalSlice, label: str) -> bytes:
        """The bytes of a checked piece."""
        if self.base_dir is None:
            raise _no_folder(label)
        with open_inside(self.base_dir, piece.location, what=label, error=ModelError) as file:
            file.seek(piece.offset)
            data = file.read(piece.length)
        if len(data) != piece.length:
            raise ModelError(f"{label}: the file {shown(piece.location)} was cut while it was read; try again")
        return data

    def _size(self, location: str, label: str) -> int:
        if self.base_dir is None:
            raise _no_folder(label)
        if location not in self._sizes:
            what = f"external data of {label}"
            with open_inside(self.base_dir, location, what=what, error=ModelError) as file:
                self._sizes[location] = file.seek(0, 2)
        return self._sizes[location]


def attach_base_dir(model: onnx_ir.Model, base_dir: Path) -> None:
    """Tie every external tensor of the model to its folder, wherever it stands.

    `onnx_ir` leaves the folder out for tensors in functions, and switches all its checks off without one.

    Args:
        model: A model made from a checked file.
        base_dir: The model's folder, absolute.
    """
    if not base_dir.is_absolute():
        raise ValueError(f"base_dir must be absolute, got {base_dir}")
    for tensor in external_tensors(model):
        tensor.base_dir = base_dir


def external_tensors(model: onnx_ir.Model) -> Iterator[onnx_ir.ExternalTensor]:
    """Every external tensor of the model: initializers and attributes, in all bodies and functions."""
    bodies: list[onnx_ir.Graph | onnx_ir.Function] = [model.graph, *model.functions.values()]
    for function in model.functions.values():
        for attribute in function.attributes.values():
            yield from _external_in(attribute, bodies)
    while bodies:
        body = bodies.pop()
        graph = body if isinstance(body, onnx_ir.Graph) else body.graph
        for value in graph.initializers.values():
            if isinstance(value.const_value, onnx_ir.ExternalTensor):
                yield value.const_value
        for node in body:
            for attribute in node.attributes.values():
                yield from _external_in(attribute, bodies)


def _external_in(
    attribute: onnx_ir.Attr, bodies: list[onnx_ir.Graph | onnx_ir.Function]
) -> Iterator[onnx_ir.ExternalTensor]:
    """The external tensors of one attribute; the graphs in it are added to `bodies`."""
    if attribute.is_ref():
        return
    match attribute.type:
        case onnx_ir.AttributeType.TENSOR:
            tensors = [attribute.as_tensor()]
        case onnx_ir.AttributeType.TENSORS:
            tensors = list(attribute.as_tensors())
        case onnx_ir.AttributeType.GRAPH:
            return bodies.append(attribute.as_graph())
        case onnx_ir.AttributeType.GRAPHS:
            return bodies.extend(attribute.as_graphs())
        case _:
            return
    yield from (tensor for tensor in tensors if isinstance(tensor, onnx_ir.ExternalTensor))


def _entries(tensor: TensorProto, label: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for entry in tensor.external_data:
        key, value = entry.key, entry.value
        if not isinstance(key, str) or not isinstance(value, str):
            raise ModelError(f"{label}: its external data holds invalid UTF-8; export the model again")
        if key not in _KNOWN_KEYS:
            raise ModelError(
                f"{label}: its external data has the unknown key {shown(key)}, known are "
                f"{', '.join(sorted(_KNOWN_KEYS))}; export the model again"
            )
        if key in entries:
            raise ModelError(f"{label}: its external data has the key {key} twice; export the model again")
        entries[key] = value
    return entries


def _decimal(text: str, key: str, label: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise ModelError(
            f"{label}: the {key} of its external data must be a decimal number of at most 20 digits, "
            f"got {shown(text)}; export the model again"
        )
    return int(text)


def _no_folder(label: str) -> ModelError:
    return ModelError(
        f"{label}: has external data, but a model given as bytes has no folder; give the path of the file"
    )
