"""Attributes of nodes: one value, of the type that they claim."""

from collections.abc import Iterable, Iterator

from onnx import AttributeProto, SparseTensorProto, TensorProto

from dovetail.ir.door.budgets import MAX_ATTRIBUTE_BYTES
from dovetail.ir.door.external import ExternalFiles
from dovetail.ir.door.names import check_name, check_text
from dovetail.ir.door.tensors import check_tensor
from dovetail.ir.door.types import check_type
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

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


def check_attributes(
    attributes: Iterable[AttributeProto], owner: str, declared: frozenset[str] | None, files: ExternalFiles
) -> None:
    """Refuse what no two readers agree on in the attributes of a node, or in the defaults of a function.

    Args:
        attributes: The attributes.
        owner: The node or the function, for messages.
        declared: The attributes of the function around the node; None outside of functions.
        files: The files for external data.
    """
    seen: set[str] = set()
    for attribute in attributes:
        check_name(attribute.name, f"{owner}: name of an attribute")
        label = f"{owner}: attribute {shown(attribute.name)}"
        if not attribute.name:
            raise ModelError(f"{label}: has no name; export the model again")
        if attribute.name in seen:
            raise ModelError(f"{label}: is given twice; keep one of them")
        seen.add(attribute.name)
        _check_attribute(attribute, label, declared, files)


def _check_attribute(
    attribute: AttributeProto, label: str, declared: frozenset[str] | None, files: ExternalFiles
) -> None:
    wanted = VALUE_FIELD.get(attribute.type)
    if wanted is None:
        raise ModelError(f"{label}: has no known type, got {attribute.type}; export the model again")
    fields = {field.name for field, _ in attribute.ListFields()}
    check_text(attribute.doc_string, f"{label}: doc_string")
    if "ref_attr_name" in fields and attribute.ref_attr_name:
        return _check_reference(attribute, fields, label, declared)
    extra = fields - _OTHER_FIELDS - {wanted}
    if extra:
        raise ModelError(f"{label}: has values in {', '.join(sorted(extra))} but not its type; keep one")
    if wanted in _MESSAGES and wanted not in fields:
        raise ModelError(f"{label}: has no value; export the model again")
    _check_bytes(attribute, label)
    for tensor in _tensors(attribute):
        check_tensor(tensor, label, files)
    if attribute.type == AttributeProto.TYPE_PROTO:
        check_type(attribute.tp, label)
    for entry in attribute.type_protos:
        check_type(entry, label)
    for text in attribute.strings:
        _check_utf8(text, label)
    return None


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


def _check_reference(attribute: AttributeProto, fields: set[str], label: str, declared: frozenset[str] | None) -> None:
    """A reference stands for an attribute of the function around it, and only there."""
    name = attribute.ref_attr_name
    check_name(name, f"{label}: ref_attr_name")
    if declared is None:
        raise ModelError(
            f"{label}: refers to the function attribute {shown(name)} outside of a function; give it a value"
        )
    if name not in declared:
        raise ModelError(f"{label}: refers to {shown(name)}, which the function does not have; declare it there")
    if fields - _OTHER_FIELDS:
        raise ModelError(f"{label}: refers to {shown(name)} and has a value too; keep one of them")


def _check_bytes(attribute: AttributeProto, label: str) -> None:
    size = len(attribute.s) + 4 * len(attribute.floats) + 8 * len(attribute.ints)
    size += sum(len(text) for text in attribute.strings)
    if size > MAX_ATTRIBUTE_BYTES:
        raise ModelError(f"{label}: takes {size} bytes, at most {MAX_ATTRIBUTE_BYTES} are allowed; use a tensor")


def _check_utf8(text: bytes, label: str) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as problem:
        raise ModelError(f"{label}: holds invalid UTF-8; export the model again") from problem
