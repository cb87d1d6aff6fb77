"""Recurrent layers, one step after another; a graph of CUDA holds all steps."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import torch
from torch.nn import functional

from dovetail.gpu.registry import Arguments, Kernel, Node, operator

_ACTIVATIONS: Final[dict[str, tuple[Callable[..., Any], dict[str, float]]]] = {
    "affine": (lambda x, alpha, beta: alpha * x + beta, {"alpha": 1.0, "beta": 0.0}),
    "elu": (functional.elu, {"alpha": 1.0}),
    "hardsigmoid": (lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0, 1), {"alpha": 0.2, "beta": 0.5}),
    "leakyrelu": (lambda x, alpha: torch.where(x < 0, alpha * x, x), {"alpha": 0.01}),
    "relu": (torch.relu, {}),
    "scaledtanh": (lambda x, alpha, beta: alpha * torch.tanh(beta * x), {"alpha": 1.0, "beta": 1.0}),
    "sigmoid": (torch.sigmoid, {}),
    "softplus": (functional.softplus, {}),
    "softsign": (functional.softsign, {}),
    "tanh": (torch.tanh, {}),
    "thresholdedrelu": (lambda x, alpha: torch.where(x > alpha, x, torch.zeros_like(x)), {"alpha": 1.0}),
}
"""The functions, and what their numbers are where the node gives none."""

_Step = Callable[[Any, tuple[Any, ...]], tuple[Any, ...]]
"""(gates of the input, state) -> the new state, of which the first part is the output."""


def _activations(node: Node, default: Sequence[str], direction: int) -> list[Callable[[Any], Any]]:
    """Those of one direction; the lists of numbers hold some for the functions that take them only."""
    given = {name: iter(node.attribute(f"activation_{name}") or []) for name in ("alpha", "beta")}
    chosen: list[Callable[[Any], Any]] = []
    for name in node.attribute("activations") or list(default) * 2:
        function, usual = _ACTIVATIONS[name.lower()]
        chosen.append(partial(function, **{each: next(given[each], number) for each, number in usual.items()}))
    return chosen[direction * len(default) : (direction + 1) * len(default)]


def _clipped(node: Node) -> Callable[[Any], Any]:
    bound = node.attribute("clip", 0.0)
    return (lambda x: x.clamp(-bound, bound)) if bound else (lambda x: x)


def _reversed(x: Any, lengths: Any) -> Any:
    """Each sequence backwards within its length; (time, batch, size)."""
    if lengths is None:
        return torch.flip(x, [0])
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    places = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return torch.gather(x, 0, places.unsqueeze(-1).expand_as(x))


def _walk(gates: Any, state: tuple[Any, ...], step: _Step, lengths: Any) -> tuple[Any, tuple[Any, ...]]:
    """All outputs, and the state after the last step of each sequence."""
    outputs = []
    for time in range(gates.shape[0]):
        new = step(gates[time], state)
        shown = new[0]
        if lengths is not None:
            goes_on = (time < lengths).unsqueeze(-1)
            new = tuple(torch.where(goes_on, after, before) for after, before in zip(new, state, strict=True))
            shown = torch.where(goes_on, shown, torch.zeros_like(shown))
        outputs.append(shown)
        state = new
    return torch.stack(outputs), state


def _layer(node: Node, values: Arguments, states: int, steps: Callable[[int, Arguments], _Step]) -> tuple[Any, ...]:
    """Every direction over the sequence; (output, last state, ...) with the axes as the node wants them."""
    batch_first, way = node.attribute("layout", 0), node.attribute("direction", "forward")
    x = values[0].transpose(0, 1) if batch_first else values[0]
    lengths = values[4].to(torch.int64) if node.has(4) else None
    outputs, ends = [], []
    for direction in range(values[1].shape[0]):
        backwards = way == "reverse" or direction == 1
        bias = values[3][direction].chunk(2)[0] if node.has(3) else 0
        gates = torch.matmul(_reversed(x, lengths) if backwards else x, values[1][direction].t()) + bias
        state = tuple(_start(node, values, 5 + index, direction, x) for index in range(states))
        shown, end = _walk(gates, state, steps(direction, values), lengths)
        outputs.append(_reversed(shown, lengths) if backwards else shown)
        ends.append(end)
    y, lasts = torch.stack(outputs, 1), [torch.stack(parts) for parts in zip(*ends, strict=True)]
    if batch_first:
        y, lasts = y.permute(2, 0, 1, 3), [last.transpose(0, 1) for last in lasts]
    return (y, *lasts)


def _start(node: Node, values: Arguments, index: int, direction: int, x: Any) -> Any:
    if node.has(index):
        return values[index][:, direction] if node.attribute("layout", 0) else values[index][direction]
    return torch.zeros((x.shape[1], values[2].shape[-1]), dtype=x.dtype, device=x.device)


def _own_bias(node: Node, values: Arguments, direction: int) -> Any:
    return values[3][direction].chunk(2)[1] if node.has(3) else 0


@operator("RNN")
def rnn(node: Node) -> Kernel:
    """The plain layer."""
    clip = _clipped(node)

    def steps(direction: int, values: Arguments) -> _Step:
        (function,) = _activations(node, ["Tanh"], direction)
        weight, bias = values[2][direction].t(), _own_bias(node, values, direction)
        return lambda gates, state: (function(clip(gates + torch.matmul(state[0], weight) + bias)),)

    return lambda values: _layer(node, values, 1, steps)


@operator("GRU")
def gru(node: Node) -> Kernel:
    """Gates: update, reset, hidden."""
    clip, late = _clipped(node), node.attribute("linear_before_reset", 0)

    def steps(direction: int, values: Arguments) -> _Step:
        inner, outer = _activations(node, ["Sigmoid", "Tanh"], direction)
        weight, size = values[2][direction].t(), values[2].shape[-1]
        bias = values[3][direction].chunk(2)[1] if node.has(3) else values[2].new_zeros(3 * size)

        def step(gates: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            (hidden,) = state
            own = torch.matmul(hidden, weight[:, : 2 * size]) + bias[: 2 * size]
            update, reset = inner(clip(gates[:, : 2 * size] + own)).chunk(2, -1)
            last, shift = weight[:, 2 * size :], bias[2 * size :]
            moved = torch.matmul(hidden if late else reset * hidden, last) + shift
            shown = reset * moved if late else moved
            return ((1 - update) * outer(clip(gates[:, 2 * size :] + shown)) + update * hidden,)

        return step

    return lambda values: _layer(node, values, 1, steps)


@operator("LSTM")
def lstm(node: Node) -> Kernel:
    """Gates: input, output, forget, cell; the first three may look at the cell."""
    clip, coupled = _clipped(node), node.attribute("input_forget", 0)

    def steps(direction: int, values: Arguments) -> _Step:
        inner, middle, outer = _activations(node, ["Sigmoid", "Tanh", "Tanh"], direction)
        weight, bias = values[2][direction].t(), _own_bias(node, values, direction)
        peeps = values[7][direction].chunk(3) if node.has(7) else (0, 0, 0)

        def step(gates: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
            hidden, cell = state
            enter, leave, keep, new = (gates + torch.matmul(hidden, weight) + bias).chunk(4, -1)
            enter = inner(clip(enter + peeps[0] * cell))
            keep = 1 - enter if coupled else inner(clip(keep + peeps[2] * cell))
            cell = keep * cell + enter * middle(clip(new))
            return inner(clip(leave + peeps[1] * cell)) * outer(cell), cell

        return step

    return lambda values: _layer(node, values, 2, steps)
