"""From a partition to a program of torch.

What a node's kernel reads on the host, such as the shape of a Reshape, is computed there as far as it follows from
constants and shapes alone; what both sides want is computed on both. So such a program never waits for the device,
and a graph of CUDA can hold it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

import dovetail.gpu.operators  # noqa: F401 - the families enter themselves in the table
from dovetail.gpu.program import Program, Step, memory_of
from dovetail.gpu.reading import HOST, Read, read_model
from dovetail.gpu.registry import Entry, Node, table
from dovetail.runtime.sessions import DeviceFailure

_OF_SHAPES: Final = {"Shape", "Size"}
"""They look at what a tensor is, not at what is in it, so it may lie anywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    node: Node
    entry: Entry
    label: str
    fits_host: bool
    """Whether it can be computed without anything from the device."""

    def reads_on_host(self, index: int, runs_on_host: bool) -> bool:
        return (runs_on_host and self.node.op_type not in _OF_SHAPES) or index in self.entry.host


def lower(model: Path, inputs: Sequence[str], outputs: Sequence[str], device: torch.device) -> Program:
    """Read a partition and lower it.

    Raises:
        DeviceFailure: If the table lacks an operator of it.
    """
    constants, calls = _folded(read_model(model))
    emission = _Emission(device, constants)
    fed = [emission.new_slot(name, False) for name in inputs]
    for call, on_host in _chosen(calls, outputs):
        emission.emit(call, on_host)
    return emission.program(fed, [emission.slot(name, False) for name in outputs])


def _folded(read: Read) -> tuple[dict[str, Any], list[_Call]]:
    """The constants, with those that follow from them, and the calls that are left."""
    constants = dict(read.constants)
    calls: list[_Call] = []
    on_host: set[str] = set()
    for node, label in read.nodes:
        entry = table().get((node.domain, node.op_type))
        if entry is None:
            name = f"{node.domain or 'ai.onnx'}:{node.op_type}"
            raise DeviceFailure(f"operator {name}: the PyTorch backend has no kernel")
        given = {name for name in node.inputs if name}
        if given and given <= constants.keys() and not entry.eager:
            results = entry.build(node)([constants[name] if name else None for name in node.inputs])
            constants |= {name: value for name, value in zip(node.outputs, results, strict=False) if name}
            continue
        fits = not entry.eager and (node.op_type in _OF_SHAPES or given <= constants.keys() | on_host)
        on_host |= set(node.outputs) if fits else set()
        calls.append(_Call(node, entry, label, fits))
    return constants, calls


def _chosen(calls: Sequence[_Call], outputs: Sequence[str]) -> list[tuple[_Call, bool]]:
    """The calls that somebody needs, each with whether it runs on the host."""
    wanted = {(name, False) for name in outputs}
    chosen = []
    for call in reversed(calls):
        sides = {on_host for on_host in (False, True) for name in call.node.outputs if (name, on_host) in wanted}
        sides = sides if call.fits_host else sides and {False}
        for on_host in sides:
            chosen.append((call, on_host))
            wanted |= {(name, call.reads_on_host(index, on_host)) for index, name in enumerate(call.node.inputs)}
    return chosen[::-1]


class _Emission:
    """A program while it is written."""

    def __init__(self, device: torch.device, constants: dict[str, Any]) -> None:
        self._device = device
        self._constants = constants
        self._places: dict[tuple[str, bool], int] = {}
        self._slots: list[Any] = []
        self._steps: list[Step] = []
        self._can_capture = True

    def new_slot(self, name: str, on_host: bool, value: Any = None) -> int:
        """A place for a value on one side."""
        self._places[name, on_host] = len(self._slots)
        self._slots.append(value)
        return self._places[name, on_host]

    def slot(self, name: str, on_host: bool) -> int:
        """Where a value is on one side, after what it takes to have it there."""
        if (name, on_host) in self._places:
            return self._places[name, on_host]
        side = HOST if on_host else self._device
        if name in self._constants:
            return self.new_slot(name, on_host, self._constants[name].to(side))
        source, self._can_capture = self._places[name, not on_host], False
        place = self.new_slot(name, on_host)
        self._steps.append(Step(f"copy of {name!r}", lambda values: (values[0].to(side),), (source,), (place,)))
        return place

    def emit(self, call: _Call, on_host: bool) -> None:
        """Append a call."""
        kernel = call.entry.build(replace(call.node, device=HOST if on_host else self._device))
        reads = enumerate(call.node.inputs)
        sources = [self.slot(name, call.reads_on_host(index, on_host)) if name else None for index, name in reads]
        fills = [self.new_slot(name, on_host) if name else None for name in call.node.outputs]
        self._can_capture &= not call.entry.eager
        self._steps.append(Step(call.label, kernel, tuple(sources), tuple(fills)))

    def program(self, inputs: Sequence[int], outputs: Sequence[int]) -> Program:
        """What has been written."""
        seen = {slot for slot, value in enumerate(self._slots) if value is not None} | set(outputs)
        steps = []
        for step in reversed(self._steps):
            used = {slot for slot in (*step.inputs, *step.outputs) if slot is not None} - seen
            seen |= used
            steps.append(replace(step, last_use=tuple(sorted(used))))
        return Program(
            device=self._device,
            slots=tuple(self._slots),
            weights=frozenset(memory_of(value) for value in self._slots if value is not None),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            steps=tuple(reversed(steps)),
            can_capture=self._can_capture,
        )
