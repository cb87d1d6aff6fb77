"""How far a product fills the blocks of a matrix array.

The array of an NPU, or a tensor core, multiplies a block of input channels with a block of output channels at once,
for some places of the image one after the other. Channels and places that do not fill their block are padded, and the
array multiplies the padding as well: 8 input channels on an array of 64 take as long as 64 would.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dovetail.cost.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Block:
    """What an array takes at once."""

    rows: float
    """Input channels."""
    columns: float
    """Output channels."""
    image: float = 4
    """A convolution of no more input channels reads a row of its kernel as one run of channels."""
    places: float = 1
    """Of the output, for which the weights of a block stay in the array."""


@dataclass(frozen=True, slots=True)
class Channels:
    """The widths of a product."""

    contraction: int
    """What is summed up at one place of a kernel: the input channels of a group, K of a matrix product."""
    outputs: int
    """The output channels of a group, N of a matrix product."""
    groups: int = 1
    """Groups of a convolution."""
    row: int = 1
    """Places in a row of its kernel."""
    places: int = 0
    """Of the output: its elements by its channels; 0 where they are not known."""

    def fill(self, block: Block) -> float:
        """The share of the blocks of an array that is no padding, in (0, 1].

        Groups lie side by side in a block, as many as it has rows and columns for, and what a group would multiply
        with the channels of another is zero: that is wasted too.
        """
        run = self.row if self.groups == 1 and self.contraction <= block.image else 1
        contraction = self.contraction * run
        side = math.floor(min(block.rows / contraction, block.columns / self.outputs))
        side = min(max(1, side), self.groups)
        rows, columns = side * contraction, side * self.outputs
        blocks = _whole(rows, block.rows) * _whole(columns, block.columns)
        return rows * columns / (side * blocks) * self.fill_places(block)

    def fill_depthwise(self, channels: float, block: Block) -> float:
        """As `fill`, of an array that takes so many channels side by side, each with its own kernel."""
        side = self.groups * self.outputs
        return side / _whole(side, channels) * self.fill_places(block)

    def fill_places(self, block: Block) -> float:
        """The share of the places that are no padding, in (0, 1]."""
        return self.places / _whole(self.places, block.places) if self.places else 1.0


def _whole(size: float, block: float) -> float:
    """A size with its padding."""
    return math.ceil(size / block) * block


def channels_of(sizes: Sizes) -> Channels | None:
    """The widths of a product; None where a size is not known, or for operators that are more than one product."""
    reader = _READERS.get(sizes.op.op_type)
    found = None if reader is None else reader(sizes)
    return found if found is not None and found.contraction > 0 and found.outputs > 0 and found.groups > 0 else None


def _conv(sizes: Sizes) -> Channels | None:
    weights = _known(sizes, 3 if sizes.op.op_type == "QLinearConv" else 1)
    groups = sizes.number("group", 1)
    if len(weights) <= 2 or groups < 1:
        return None
    places = sizes.outs() // max(1, weights[0])
    return Channels(weights[1], weights[0] // groups, groups, weights[-1], places)


def _conv_transpose(sizes: Sizes) -> Channels | None:
    weights, groups = _known(sizes, 1), sizes.number("group", 1)
    return Channels(weights[0] // groups, weights[1], groups) if len(weights) > 2 and groups > 0 else None


def _gemm(sizes: Sizes) -> Channels | None:
    weights = _known(sizes, 1)
    if len(weights) != 2:
        return None
    return _product(sizes, weights)


def _matmul(sizes: Sizes) -> Channels | None:
    """Its second matrix is the fourth input where each has a scale and a zero point beside it."""
    weights = _known(sizes, 3 if sizes.op.op_type in ("QLinearMatMul", "QGemm") else 1)
    if len(weights) < 2:
        return Channels(weights[0], 1) if weights else None
    return _product(sizes, weights[-2:])


def _product(sizes: Sizes, weights: tuple[int, ...]) -> Channels:
    contraction, outputs = weights[::-1] if sizes.number("transB", 0) else weights
    return Channels(contraction, outputs, places=sizes.outs() // max(1, outputs))


def _recurrent(sizes: Sizes) -> Channels | None:
    """Those of the product that each step waits for: the state by the recurrent weights of all gates."""
    weights = _known(sizes, 2)
    return Channels(weights[2], weights[1]) if len(weights) == 3 else None


def _known(sizes: Sizes, index: int) -> tuple[int, ...]:
    """The shape of an input, () where it is not known in full."""
    tensor = sizes.input(index)
    shape = None if tensor is None else tensor.shape
    dims = () if shape is None else tuple(dim for dim in shape if isinstance(dim, int))
    return dims if shape is not None and len(dims) == len(shape) else ()


_READERS: Final[dict[str, Callable[[Sizes], Channels | None]]] = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv", "QLinearConv", "DeformConv"), _conv),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul"), _matmul),
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm"), _matmul),
    **dict.fromkeys(("Gemm", "FusedGemm"), _gemm),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "ConvTranspose": _conv_transpose,
}
