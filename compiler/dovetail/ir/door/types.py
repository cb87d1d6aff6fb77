"""Declared types of values: known element types, sane ranks and sizes."""

from onnx import TensorProto, TensorShapeProto, TypeProto, ValueInfoProto

from dovetail.ir.door.budgets import MAX_RANK
from dovetail.ir.door.names import check_name, check_properties, check_text, quoted
from dovetail.ir.door.tensors import BITS, check_dims
from dovetail.plan.errors import ModelError

_UNKNOWN_DIM = -1
"""What old exporters write for a size that is not known."""


def check_value_info(info: ValueInfoProto, what: str, where: str, *, needs_type: bool = False) -> None:
    """Refuse a declaration that libraries overflow on; a size of -1 becomes unknown.

    Args:
        info: The declaration; changed in place.
        what: `input`, `output` or `value`.
        where: The end of the object's label, for example ` in function 'f'`.
        needs_type: Whether the element type must be there.
    """
    label = f"{what} {quoted(info.name)}{where}"
    check_name(info.name, f"name of {what}{where}")
    if not info.name:
        raise ModelError(f"{label}: has no name; give it one")
    check_text(info.doc_string, f"{label}: doc_string")
    check_properties(info.metadata_props, label)
    if needs_type and info.type.WhichOneof("value") is None:
        raise ModelError(f"{label}: has no type; declare its element type and shape")
    check_type(info.type, label, needs_type=needs_type)


def check_type(declared: TypeProto, label: str, *, needs_type: bool = False) -> None:
    """Refuse an unknown element type, a map, or a shape that overflows. Protobuf bounds the nesting."""
    while True:
        kind = declared.WhichOneof("value")
        if kind == "sequence_type":
            declared = declared.sequence_type.elem_type
        elif kind == "optional_type":
            declared = declared.optional_type.elem_type
        else:
            break
        needs_type = True  # a sequence of nothing is no type
        if declared.WhichOneof("value") is None:
            raise ModelError(f"{label}: {kind} has no element type; declare it")
    if kind == "tensor_type":
        _check_tensor_type(declared.tensor_type.elem_type, declared.tensor_type.shape, label, needs_type)
    elif kind == "sparse_tensor_type":
        sparse = declared.sparse_tensor_type
        _check_tensor_type(sparse.elem_type, sparse.shape, label, needs_type)
    elif kind is not None:
        raise ModelError(f"{label}: {kind} is not supported; export the model without it")


def check_declared(tensor: TensorProto, declared: TypeProto, label: str) -> None:
    """Refuse a tensor of another type or shape than the declaration of its value says."""
    if declared.WhichOneof("value") is None:
        return
    wanted = declared.tensor_type
    if declared.WhichOneof("value") != "tensor_type" or wanted.elem_type not in (0, tensor.data_type):
        raise ModelError(f"{label}: its data type is not the declared one; make them equal")
    if not wanted.HasField("shape"):
        return
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in wanted.shape.dim]
    agrees = len(sizes) == len(tensor.dims) and all(
        size in (None, dim) for size, dim in zip(sizes, tensor.dims, strict=True)
    )
    if not agrees:
        raise ModelError(f"{label}: has dims {list(tensor.dims)}, its declaration says {sizes}; make them equal")


def _check_tensor_type(dtype: int, shape: TensorShapeProto, label: str, needs_type: bool) -> None:
    if dtype == TensorProto.UNDEFINED and needs_type:
        raise ModelError(f"{label}: has no element type; declare it")
    if dtype not in BITS and dtype not in (TensorProto.UNDEFINED, TensorProto.STRING):
        raise ModelError(f"{label}: has the unknown element type {dtype}; export the model again")
    if len(shape.dim) > MAX_RANK:
        raise ModelError(f"{label}: has rank {len(shape.dim)}, at most {MAX_RANK} is allowed; reshape it")
    sizes = []
    for dim in shape.dim:
        check_text(dim.denotation, f"{label}: denotation")
        kind = dim.WhichOneof("value")
        if kind == "dim_param":
            check_name(dim.dim_param, f"{label}: name of a dimension")
        elif kind == "dim_value" and dim.dim_value == _UNKNOWN_DIM:
            dim.ClearField("dim_value")
        elif kind == "dim_value":
            sizes.append(dim.dim_value)
    check_dims(sizes, BITS.get(dtype, 8), label)
