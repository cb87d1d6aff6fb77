"""Attributes of nodes: one value, of the type that they claim."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnx import AttributeProto, FunctionProto, NodeProto, SparseTensorProto, TensorProto

from dovetail.ir.door.budgets import MAX_ATTRIBUTE_BYTES
from dovetail.ir.door.external import ExternalFiles
from dovetail.ir.door.names import check_name, check_text
from dovetail.ir.door.tensors import check_tensor
from dovetail.ir.door.types import check_type
from dovetail.plan.errors import ModelError
from dovetail.plan.files import shown

VALUE_FIELD: dict[int, str] = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    AttributeProto.TYPE_PROTO: "tp",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSORS: "tensors",
    AttributeProto.GRAPHS: "graphs",
    AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    AttributeProto.TYPE_PROTOS: "type_protos",
}
_MESSAGES = frozenset({"t", "g", "sparse_tensor", "tp"})
"""Fields that must be there: writers leave out a number or a text that is zero or empty, never these."""
_OTHER_FIELDS = frozenset({"name", "type", "doc_string", "ref_attr_name"})


@dataclass(frozen=True, slots=True)
class AttributeChecker:
    """Checks attributes; holds what the checks of a whole model share."""

    files: ExternalFiles

    def check_all(self, node: NodeProto, label: str, function: FunctionProto | None) -> None:
        """Refuse what no reader agrees on in a node's attributes.

        Args:
            node: The node.
            label: The node, for messages.
            function: The function whose body the node is in, if any.
        """
        names = [attribute.name for attribute in node.attribute]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ModelError(f"{label}: has the attribute {shown(str(twice))} twice; keep one of them")
        for attribute in node.attribute:
            self.check(attribute, label, function)

    def check(self, attribute: AttributeProto, owner: str, function: FunctionProto | None) -> None:
        """Refuse one attribute of `owner` unless it holds one value of its own type."""
        check_name(attribute.name, f"{owner}: name of an attribute")
        label = f"{owner}: attribute {shown(attribute.name)}"
        if not attribute.name:
            raise ModelError(f"{label}: has no name; export the model again")
        wanted = VALUE_FIELD.get(attribute.type)
        if wanted is None:
            raise ModelError(f"{label}: has no known type, got {attribute.type}; export the model again")
        fields = {field.name: value for field, value in attribute.ListFields()}
        check_text(fields.get("doc_string", ""), f"{label}: doc_string")
        if fields.get("ref_attr_name"):
            return _check_reference(attribute, fields, label, function)
        extra = fields.keys() - _OTHER_FIELDS - {wanted}
        if extra:
            raise ModelError(f"{label}: has values in {', '.join(sorted(extra))} but not its type; keep one")
        if wanted in _MESSAGES and wanted not in fields:
            raise ModelError(f"{label}: has no value; export the model again")
        _check_bytes(attribute, label)
        self._check_contents(attribute, label)

    def _check_contents(self, attribute: AttributeProto, label: str) -> None:
        for tensor in _tensors(attribute):
            check_tensor(tensor, label, self.files)
        if attribute.type == AttributeProto.TYPE_PROTO:
            check_type(attribute.tp, label)
        elif attribute.type == AttributeProto.TYPE_PROTOS:
            for declared in attribute.type_protos:
                check_type(declared, label)
        elif attribute.type == AttributeProto.STRINGS:
            _check_utf8(attribute, label)


def _tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    """Every tensor in an attribute of a checked type."""
    sparse: Iterable[SparseTensorProto] = ()
    match attribute.type:
        case AttributeProto.TENSOR:
            yield attribute.t
        case AttributeProto.TENSORS:
            yield from attribute.tensors
        case AttributeProto.SPARSE_TENSOR:
            sparse = [attribute.sparse_tensor]
        case AttributeProto.SPARSE_TENSORS:
            sparse = attribute.sparse_tensors
    for pair in sparse:
        yield pair.values
        yield pair.indices


def _check_reference(
    attribute: AttributeProto, fields: dict[str, object], label: str, function: FunctionProto | None
) -> None:
    """A reference stands for an attribute of the function around it, and only there."""
    name = attribute.ref_attr_name
    check_name(name, f"{label}: ref_attr_name")
    if function is None:
        raise ModelError(
            f"{label}: refers to the function attribute {shown(name)} outside of a function; give it a value"
        )
    if name not in function.attribute and all(name != default.name for default in function.attribute_proto):
        raise ModelError(
            f"{label}: refers to {shown(name)}, which the function does not have; declare it there"
        )
    if fields.keys() - _OTHER_FIELDS:
        raise ModelError(f"{label}: refers to {shown(name)} and has a value too; keep one of them")


def _check_bytes(attribute: AttributeProto, label: str) -> None:
    size = len(attribute.s) + 4 * len(attribute.floats) + 8 * len(attribute.ints)
    size += sum(len(text) for text in attribute.strings)
    if size > MAX_ATTRIBUTE_BYTES:
        raise ModelError(
            f"{label}: takes {size} bytes, at most {MAX_ATTRIBUTE_BYTES} are allowed; use a tensor"
        )


def _check_utf8(attribute: AttributeProto, label: str) -> None:
    for text in attribute.strings:
        try:
            text.decode()
        except UnicodeDecodeError as problem:
            raise ModelError(f"{label}: holds invalid UTF-8; export the model again") from problem
