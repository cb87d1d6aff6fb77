"""Which tool can be asked what a device takes."""

from collections.abc import Sequence
from typing import Protocol

from dovetail.ir import Graph
from dovetail.lowering.answers import Answer
from dovetail.lowering.probe import ProviderTool
from dovetail.lowering.vela import VelaTool
from dovetail.targets import Device


class Tool(Protocol):
    """A vendor's compiler that can be asked about operators."""

    def why_not(self) -> str:
        """Why it can't be asked here, and what to do about it; empty where it can."""

    def ask(self, graph: Graph, units: Sequence[Sequence[str]]) -> tuple[str, list[Answer]]:
        """The tool's name with its version, and its answer for each unit, by the names of the unit's nodes."""


def tool_of(device: Device) -> Tool | None:
    """The provider that runs a device, else the tool that its target names; None where there is neither."""
    if device.backend is not None:
        return ProviderTool(device.backend)
    return VelaTool(device.tool.accelerator) if device.tool is not None else None
