"""What the user fixes on loading: shapes of inputs, symbolic dimensions, whole inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx_ir

from dovetail.ir.nested import nested_graphs
from dovetail.ir.values import dtype_name, shape_of
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import meant

MAX_DIM = 2**31 - 1
"""No device of any target addresses a longer dimension."""


@dataclass(frozen=True, slots=True)
class Bindings:
    """The loading options of every command that takes a model."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Input name -> its whole shape. Symbols of that input are then known wherever they occur."""
    dims: Mapping[str, int] = field(default_factory=dict)
    """Symbolic dimension -> size."""
    binds: Mapping[str, str] = field(default_factory=dict)
    """Input name -> constant: one number for every element, or as many comma-separated ones as it has elements."""

    batch: int | None = None
    """Size of the first dimension of the inputs: of its symbols wherever they stand, or else of all inputs whose first
    dimension is that of the first input; not where that is larger than 1 and another one is open. What was declared
    behind them is forgotten."""

    def __bool__(self) -> bool:
        return bool(self.shapes or self.dims or self.binds or self.batch)

    def as_text(self) -> dict[str, str]:
        """As the user wrote them: `shape x` -> `1,3,224,224`, `dim batch` -> `1`, `bind sr` -> `16000`."""
        text = {f"shape {name}": ",".join(map(str, shape)) for name, shape in self.shapes.items()}
        text.update((f"dim {name}", str(size)) for name, size in self.dims.items())
        text.update((f"bind {name}", value) for name, value in self.binds.items())
        return {**text, "batch": str(self.batch)} if self.batch else text

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> "Bindings":
        """What `as_text` gave, out of a plan that anyone may have written; ModelError where it is something else."""
        found: dict[str, dict[str, str]] = {"shape": {}, "dim": {}, "bind": {}, "batch": {}}
        for option, value in text.items():
            kind, _, name = option.partition(" ")
            if kind not in found:
                raise ModelError(f"'{option}' = '{value}': is no loading option; {meant(kind, found)}")
            found[kind][name] = value
        try:
            shapes = {name: tuple(map(int, filter(None, sizes.split(",")))) for name, sizes in found["shape"].items()}
            dims = {name: int(size) for name, size in found["dim"].items()}
            batch = int(found["batch"][""]) if "" in found["batch"] else None
        except ValueError as error:
            raise ModelError(
                f"loading options {dict(text)}: a size must be a whole number ({error}); compile again"
            ) from error
        return cls(shapes, dims, found["bind"], batch)


def apply_bindings(model: onnx_ir.Model, bindings: Bindings) -> None:
    """Fix what the user fixed, in place. Everything is checked before anything changes.

    Raises:
        ModelError: an unknown input or dimension, or a size or value that contradicts the model.
    """
    inputs = {str(value.name): value for value in model.graph.inputs}
    if bindings.batch is not None:
        _set_batch(model, _checked_size("--batch", bindings.batch))
    for option, names in (("shape", bindings.shapes), ("bind", bindings.binds)):
        for name in names:
            if name not in inputs:
                raise ModelError(f"--{option} {name}: the model has no such input; {meant(name, inputs)}")
    sizes = _sizes(inputs, bindings)
    constants: dict[str, onnx_ir.Tensor[npt.NDArray[np.generic]]] = {}
    for name, text in bindings.binds.items():
        shape = bindings.shapes.get(name, shape_of(inputs[name]))
        constants[name] = _constant(inputs[name], text, shape or (), sizes)
    for name, shape in bindings.shapes.items():
        inputs[name].shape = onnx_ir.Shape(shape)
    _replace_symbols(model, sizes)
    for name, tensor in constants.items():
        value = inputs[name]
        model.graph.inputs.remove(value)
        value.const_value = tensor
        value.shape = onnx_ir.Shape(tensor.shape)
        model.graph.register_initializer(value)


def _set_batch(model: onnx_ir.Model, batch: int) -> None:
    """Resize the first dimension of the inputs, and forget all shapes that follow from it."""
    shapes = {value: shape_of(value) or () for value in model.graph.inputs}
    first = next((shape[0] for shape in shapes.values() if shape), None)
    symbols = {shape[0] for shape in shapes.values() if shape and isinstance(shape[0], str)}
    if first is None and not symbols:
        raise ModelError(f"--batch {batch}: no input of the model has a first dimension; fix shapes with --shape")
    if symbols:
        _replace_symbols(model, {str(symbol): batch for symbol in symbols})
        return
    open_dims = sorted({dim for shape in shapes.values() for dim in shape if isinstance(dim, str)})
    if isinstance(first, int) and first > 1 and open_dims:  # steps come first, as in recurrent models
        raise ModelError(
            f"--batch {batch}: the first dimension of the inputs is fixed, got {first}, and {', '.join(open_dims)} is "
            f"open; if that is the batch, give --dim {open_dims[0]}={batch}"
        )
    for value, shape in shapes.items():
        if shape and shape[0] == first:
            value.shape = onnx_ir.Shape((batch, *shape[1:]))
    for graph in (model.graph, *(inner for node in model.graph for inner in nested_graphs(node))):
        for node in graph:
            for output in node.outputs:
                output.shape = None


def _sizes(inputs: Mapping[str, onnx_ir.Value], bindings: Bindings) -> dict[str, int]:
    """The size of every symbol that the options fix."""
    symbols = sorted({dim for value in inputs.values() for dim in shape_of(value) or () if isinstance(dim, str)})
    sizes: dict[str, int] = {}
    for name, size in bindings.dims.items():
        if name not in symbols:
            raise ModelError(
                f"--dim {name}: the model's inputs have no such symbolic dimension; {meant(name, symbols)}"
            )
        sizes[name] = _checked_size(f"--dim {name}", size)
    for name, shape in bindings.shapes.items():
        _match(name, shape, shape_of(inputs[name]), sizes)
    return sizes


def _match(
    name: str, shape: tuple[int, ...], declared: tuple[int | str | None, ...] | None, sizes: dict[str, int]
) -> None:
    text = ",".join(map(str, shape))
    for size in shape:
        _checked_size(f"--shape {name}={text}", size)
    if declared is None:
        return
    if len(shape) != len(declared):
        raise ModelError(
            f"--shape {name}={text}: the input has {len(declared)} dimensions {list(declared)}; give as many sizes"
        )
    for position, (size, dim) in enumerate(zip(shape, declared, strict=True)):
        wanted = sizes.setdefault(dim, size) if isinstance(dim, str) else dim
        if wanted is not None and wanted != size:
            where = f"dimension {position}" + (f" ('{dim}')" if isinstance(dim, str) else "")
            raise ModelError(f"--shape {name}={text}: {where} is {wanted}, got {size}; give {wanted} there")


def _checked_size(option: str, size: int) -> int:
    if not 0 < size <= MAX_DIM:
        raise ModelError(f"{option}: a size must be in [1, {MAX_DIM}], got {size}; correct it")
    return size


def _constant(
    value: onnx_ir.Value, text: str, declared: tuple[int | str | None, ...], sizes: Mapping[str, int]
) -> "onnx_ir.Tensor[npt.NDArray[np.generic]]":
    option = f"--bind {value.name}={text}"
    dtype = dtype_name(value)
    if dtype is None or dtype in ("string", "sequence", "optional"):
        raise ModelError(
            f"{option}: only an input of numbers can be fixed, this one holds {dtype or 'an unknown type'}; "
            "leave it out"
        )
    shape = [sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in declared]
    if not all(isinstance(dim, int) for dim in shape):
        raise ModelError(f"{option}: the input's shape {shape} is not fixed; add --shape or --dim")
    parts = [_number(option, part, dtype) for part in text.split(",")]
    count = int(np.prod([int(dim or 0) for dim in shape], dtype=object)) if shape else 1
    if len(parts) not in (1, count) or count > 1 << 20:
        raise ModelError(
            f"{option}: the input has {count} elements, got {len(parts)} numbers; give one number or as many"
        )
    try:
        array = np.array(parts, dtype=dtype) if len(parts) == count else np.full(count, parts[0], dtype=dtype)
    except OverflowError as error:
        raise ModelError(f"{option}: does not fit {dtype} ({error}); give a smaller number") from error
    return onnx_ir.Tensor(array.reshape([int(dim or 0) for dim in shape]), name=value.name)


def _number(option: str, text: str, dtype: str) -> float | int | bool:
    text = text.strip()
    try:
        if dtype == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return float(text) if dtype.startswith(("float", "bfloat")) else int(text)
    except (ValueError, KeyError):
        raise ModelError(f"{option}: '{text}' is not a {dtype} number; correct it") from None


def _replace_symbols(model: onnx_ir.Model, sizes: Mapping[str, int]) -> None:
    """Put the sizes in the place of the symbols, in every shape of the model."""
    graphs = [model.graph, *(inner for node in model.graph for inner in nested_graphs(node))]
    for graph in graphs:
        for value in [*graph.inputs, *(output for node in graph for output in node.outputs)]:
            if value.shape is None or value.shape.is_static():
                continue
            dims = [sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in shape_of(value) or ()]
            value.shape = onnx_ir.Shape(dims)
