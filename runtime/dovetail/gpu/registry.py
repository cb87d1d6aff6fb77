"""The table of operators: how each node of ONNX becomes a call of torch.

A module of `dovetail.gpu.operators` holds a family. Each function there is given a node once, when a partition is
lowered, reads its attributes and the constants among its inputs, and returns the kernel that every run calls.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Arguments: TypeAlias = Sequence[Any]
"""A torch tensor for each input, None for one that is left out. It lies on `Node.device`, or on the host where the
table says so."""
Kernel: TypeAlias = Callable[[Arguments], Sequence[Any]]
"""Gives a tensor per output, on the device of its inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node of a partition, as plain Python."""

    op_type: str
    domain: str
    """Empty for ONNX's own."""
    version: int
    """The opset of its domain that the model imports."""
    attributes: Mapping[str, Any]
    """int, float, str, lists of them, or NumPy arrays."""
    inputs: tuple[str, ...]
    """An empty name where one is left out."""
    outputs: tuple[str, ...]
    device: Any
    """Of torch: where the outputs are to lie, for kernels whose inputs don't say it."""

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or what ONNX says where it is not given."""
        return self.attributes.get(name, default)

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def wants(self, index: int) -> bool:
        """Whether somebody reads an output."""
        return index < len(self.outputs) and self.outputs[index] != ""


Builder: TypeAlias = Callable[[Node], Kernel]


@dataclass(frozen=True, slots=True)
class Entry:
    """How one operator is lowered."""

    build: Builder
    host: frozenset[int]
    """Inputs that the kernel reads on the host: shapes, axes, repeats."""
    eager: bool
    """Whether every run must call the kernel anew: it waits for what is on the device, or draws random numbers."""


_TABLE: Final[dict[tuple[str, str], Entry]] = {}


def operator(
    *names: str, domain: str = "", host: Sequence[int] = (), eager: bool = False
) -> Callable[[Builder], Builder]:
    """Enter a builder for operators of a domain; it looks at `Node.version` where opsets differ."""

    def enter(build: Builder) -> Builder:
        for name in names:
            assert (domain, name) not in _TABLE, f"{name} is in the table already"
            _TABLE[domain, name] = Entry(build, frozenset(host), eager)
        return build

    return enter


def table() -> Mapping[tuple[str, str], Entry]:
    """(domain, operator) -> how it is lowered, of all families that have been imported."""
    return _TABLE


def numbers(values: Arguments, index: int) -> list[int] | None:
    """A list of whole numbers that lies on the host, such as axes; None where the input is left out."""
    value = values[index] if index < len(values) else None
    return None if value is None else [int(each) for each in value.reshape(-1).tolist()]
