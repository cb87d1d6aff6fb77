"""What a rule sees of an operator: plain data, made by the caller from its own graph.

Nothing here imports ONNX, so target descriptions can be loaded, checked and queried without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
"""A read-only NumPy array of any element type."""

Scalar = int | float | str
Attribute = Scalar | tuple[Scalar, ...] | Array | None
"""The value of an attribute. None: it has neither a value nor a default."""


@dataclass(frozen=True, slots=True)
class QuantView:
    """How a tensor between QuantizeLinear and DequantizeLinear is quantized."""

    scheme: Literal["per_tensor", "per_channel", "per_block"]
    axis: int | None
    """The quantized axis of a per-channel or per-block tensor."""
    scale: Array | None
    """None where the scale is not a constant."""
    zero_point: Array | None
    """None where the zero point is absent or not a constant."""
    dtype: str
    """NumPy name of the quantized type, for example `uint8`."""


@dataclass(frozen=True, slots=True)
class TensorView:
    """An input or output of an operator."""

    name: str
    dtype: str | None
    """NumPy name (`float32`, `bfloat16`, `string`, ...), the *quantized* one inside a Q/DQ group; None: unknown."""
    shape: tuple[int | str | None, ...] | None
    """None: unknown rank. A str is a symbolic dimension, None an unknown one."""
    constant: Callable[[], Array] | None
    """None: not a constant. Returns the read-only value: the quantized integers where `quant` is set."""
    quant: QuantView | None = None
    is_graph_input: bool = False


@dataclass(frozen=True, slots=True)
class OperatorView:
    """One operator, as every rule sees it."""

    name: str
    op_type: str
    domain: str
    """The empty string stands for `ai.onnx`."""
    opset: int
    inputs: tuple[TensorView | None, ...]
    """None: an optional input that is absent."""
    outputs: tuple[TensorView | None, ...]
    input_names: tuple[str, ...]
    """Formal names of the operator's schema (`X`, `W`, `B`); the last is repeated for a variadic input."""
    output_names: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    """With the schema's defaults filled in. A graph attribute is given as the string `graph`."""
    quantized: bool
    """It sits inside a Q/DQ group."""
    producers: tuple[str, ...]
    """Operator type of the direct producer of each input, the empty string where there is none."""
    consumers: tuple[str, ...]
    """Operator types of all direct consumers of all outputs."""
