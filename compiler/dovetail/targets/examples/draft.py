"""An operator that is made up setting by setting, to be judged by a rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from dovetail.ir.vocabulary import OpWords
from dovetail.targets.facts import LAYOUT, Context
from dovetail.targets.view import Array, OperatorView, QuantView, TensorView

Place = tuple[Literal["input", "output"], int]
"""A tensor of the operator."""

Knob = tuple[Any, ...]
"""What can be set: `("rank", place)`, `("shape", place)`, `("dim", place, index or name)`, `("dtype", place)`,
`("const", place)`, `("given", place)`, `("quant", place)`, `("attr", name)`, `("property", name)`, `("inputs",)`,
`("outputs",)`, `("quantized",)`, `("opset",)`, `("producers",)`, `("consumers",)`."""

Settings = Mapping[Knob, Any]

_SHAPE: Final = (1, 4, 8, 8, 8, 8, 8, 8, 8, 8)
_RANK: Final = 4
_OPSET: Final = 17
_LARGEST_CONSTANT: Final = 1_000_000


class UnbuildableError(Exception):
    """The settings make no operator."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A constant of the tensor's shape whose every element is `value`."""

    value: float


@dataclass(frozen=True, slots=True)
class Quant:
    """How a tensor is quantized."""

    scheme: Literal["per_tensor", "per_channel", "per_block"] = "per_tensor"
    axis: int | None = None
    scale: float = 0.5
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """An operator type, and what it is where nothing is set."""

    op_type: str
    domain: str
    words: OpWords
    defaults: Mapping[str, Any]
    """Attributes."""
    context: Context

    def build(self, settings: Settings) -> tuple[OperatorView, Context]:
        """Return the operator and the device's context; UnbuildableError where the settings make none."""
        inputs = self._count(settings, "input", ("inputs",), len(self.words.inputs))
        outputs = self._count(settings, "output", ("outputs",), len(self.words.outputs))
        attributes = dict(self.defaults)
        properties = dict(self.context.properties)
        for knob, value in settings.items():
            if knob[0] == "attr":
                attributes[str(knob[1])] = value
            if knob[0] == "property":
                properties[str(knob[1])] = value
        view = OperatorView(
            name="op",
            op_type=self.op_type,
            domain=self.domain,
            opset=settings.get(("opset",), _OPSET),
            inputs=tuple(self._tensor(settings, ("input", index)) for index in range(inputs)),
            outputs=tuple(self._tensor(settings, ("output", index)) for index in range(outputs)),
            input_names=_names(self.words.inputs, inputs),
            output_names=_names(self.words.outputs, outputs),
            attributes={name: value for name, value in attributes.items() if value is not None},
            quantized=settings.get(("quantized",), False),
            producers=settings.get(("producers",), ("",) * inputs),
            consumers=settings.get(("consumers",), ()),
        )
        return view, Context(properties, self.context.dtype_rewrite)

    def _count(self, settings: Settings, group: str, total: Knob, usual: int) -> int:
        if total in settings:
            return int(settings[total])
        places = [knob[1] for knob in settings if len(knob) > 1 and isinstance(knob[1], tuple)]
        numbers: list[int] = [place[1] + 1 for place in places if place[0] == group]
        return max([usual, 1, *numbers])

    def _tensor(self, settings: Settings, place: Place) -> TensorView | None:
        if not settings.get(("given", place), True):
            return None
        shape = self._shape(settings, place)
        constant = _constant(settings.get(("const", place)), shape)
        if constant is not None:
            shape = constant().shape
        quant = _quant(settings, place)
        usual = "float32" if quant is None else "uint8"
        dtype = settings.get(("dtype", place), usual)
        return TensorView(f"{place[0]}{place[1]}", dtype, shape, constant, quant)

    def _shape(self, settings: Settings, place: Place) -> tuple[int | str, ...]:
        if ("shape", place) in settings:
            shape = list(settings["shape", place])
        else:
            shape = list(_SHAPE[: settings.get(("rank", place), _RANK)])
        for knob, size in settings.items():
            if knob[0] == "dim" and knob[1] == place:
                for index in _indices(knob[2], len(shape), settings):
                    shape[index] = size
        return tuple(shape)


def _indices(dim: object, rank: int, settings: Settings) -> range | list[int]:
    """Return the positions that a dimension's name or number stands for."""
    if isinstance(dim, int):
        return [dim] if -rank <= dim < rank else []
    if dim == "axis":
        axis = settings.get(("attr", "axis"), 0)
        return [axis] if -rank <= axis < rank else []
    groups = {"any": range(rank), "reduced": range(rank), "non-batch": range(1, rank), "spatial": range(2, rank)}
    if str(dim) in groups:
        return groups[str(dim)]
    layout = LAYOUT.get(rank, "NC"[:rank])
    if dim == "K":
        return [rank - 1] if rank else []
    return [layout.index(str(dim))] if str(dim) in layout else []


def _names(formal: tuple[str, ...], count: int) -> tuple[str, ...]:
    last = formal[-1] if formal else ""
    return (*formal, *(last,) * count)[:count]


def _constant(value: object, shape: tuple[int | str, ...]) -> Callable[[], Array] | None:
    if value is None:
        return None
    if not isinstance(value, Fill):
        array: Array = np.asarray(value)
        return lambda: array
    sizes = [size for size in shape if isinstance(size, int)]
    if len(sizes) != len(shape) or np.prod(sizes) > _LARGEST_CONSTANT:
        raise UnbuildableError
    filled: Array = np.full(sizes, value.value)
    return lambda: filled


def _quant(settings: Settings, place: Place) -> QuantView | None:
    usual = Quant() if settings.get(("quantized",), False) else None
    quant: Quant | None = settings.get(("quant", place), usual)
    if quant is None:
        return None
    count = 1 if quant.scheme == "per_tensor" else 4
    scale: Array = np.full(count, quant.scale, dtype=np.float32)
    zero: Array = np.full(count, quant.zero_point, dtype=np.int64)
    return QuantView(quant.scheme, quant.axis, scale, zero, "uint8")
