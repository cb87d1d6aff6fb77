"""The typed records that tagging passes set on nodes."""

from dataclasses import dataclass

from dovetail.targets import Verdict


@dataclass(frozen=True, slots=True)
class UnitTag:
    """Which unit a node belongs to: operators that must stay on one device."""

    index: int
    """Units are numbered in topological order of their first node."""
    main: str
    """The node that gives the unit its meaning: the operator inside a Q/DQ group, or the node itself."""
    quantized: bool = False
    """The unit is a Q/DQ group: between its DequantizeLinear and QuantizeLinear the device computes in integers."""


@dataclass(frozen=True, slots=True)
class FusionTag:
    """An activation that a device may fuse into the operator that makes its input."""

    producer: str


@dataclass(frozen=True, slots=True)
class VerdictTag:
    """The answers for a node, one a device, in the target's order."""

    verdicts: tuple[tuple[str, Verdict], ...]

    def on(self, device: str) -> Verdict:
        """The answer of one device, by its id."""
        return dict(self.verdicts)[device]


@dataclass(frozen=True, slots=True)
class BodyTag:
    """The answers for the operators in the bodies of an If, Loop or Scan: they run where it runs."""

    operators: tuple[tuple[str, str, str, VerdictTag], ...]
    """Name, op_type, domain, and answers."""
