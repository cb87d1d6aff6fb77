"""A target and its devices, ready to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dovetail.plan.errors import TargetError
from dovetail.plan.schema import BackendSpec, DeviceKind
from dovetail.targets.backend import backend_refusal
from dovetail.targets.describe import DeviceDescription, TargetDescription, describe_device, limit_sentences
from dovetail.targets.figure import Figure, Link, PartitionLimits
from dovetail.targets.rulebook import RuleBook
from dovetail.targets.schema import Numerics, OperatorList, QuantizationPart
from dovetail.targets.signature import signature
from dovetail.targets.verdict import Verdict
from dovetail.targets.view import OperatorView


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A vendor's ahead-of-time compiler, by name, and what it compiles for."""

    name: str
    accelerator: str


CostSource = Literal["modelled", "vendor estimate", "measured"]
"""Where the figures come from that a prediction of time is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """One device of a target."""

    id: DeviceKind
    kind: DeviceKind
    name: str
    backend: BackendSpec | None
    """None: nothing on any host runs it."""
    numerics: Numerics
    """What floats become on it."""
    figures: Mapping[str, Figure]
    data_quality: str
    """How good the public knowledge of what it supports is: `high`, `medium` or `low`."""
    data_note: str
    book: RuleBook
    quantization: QuantizationPart
    """What a float model is quantized to for it."""
    learnt: Mapping[str, Verdict] = field(default_factory=dict)
    """Signature of an operator -> what a probe of the vendor's compiler answered; it goes before the rules."""
    tool: ToolSpec | None = None
    """What `targets probe` asks where there is no backend."""
    costs: CostSource = "modelled"
    """Better than `modelled` where its figures were fitted to timings."""

    def verdict(self, op: OperatorView) -> Verdict:
        """Return whether the device takes `op`, with every rule that speaks against it."""
        if self.backend is not None and (refused := backend_refusal(self.backend, op)):
            return Verdict("unsupported", (refused,))
        known = self.learnt.get(signature(op)) if self.learnt else None
        return self.book.judge(op) if known is None else known

    def op_types(self) -> tuple[str, ...]:
        """Return the operators that it takes in some form (`Conv`, `com.microsoft:Gelu`), sorted.

        Empty for a device that takes whole domains.
        """
        forms = self.book.device.ops.items()
        return tuple(sorted(key for key, listed in forms if any(form.supported for form in listed)))

    @property
    def operator_list(self) -> OperatorList:
        """Return how much is known of what it takes."""
        return self.book.device.operator_list()

    def describe(self) -> DeviceDescription:
        """Return the device's rules in words."""
        return describe_device(self.book, self.backend, self.numerics, self.figures)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A described machine in one variant."""

    name: str
    vendor: str
    summary: str
    variant: str
    """Empty where the target has no variants."""
    variants: tuple[str, ...]
    devices: tuple[Device, ...]
    """In order of preference; the CPU is the last."""
    limits: PartitionLimits
    links: tuple[Link, ...]
    sources: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Return `name:variant`, or `name` where there are no variants."""
        return f"{self.name}:{self.variant}" if self.variant else self.name

    def device(self, device_id: str) -> Device:
        """Return a device by its id; KeyError where there is none."""
        for device in self.devices:
            if device.id == device_id:
                return device
        raise KeyError(device_id)

    def require_operators(self) -> None:
        """Refuse a target with a device of which nobody says what it takes: every placement would be a guess.

        Raises:
            TargetError: the text names the device, and what the user can give instead.
        """
        for device in self.devices:
            if device.operator_list == "unpublished" and not device.learnt:
                raise TargetError(
                    f"target {self.name}: {self.vendor} publishes no list of the operators that {device.name} takes;"
                    f" give one in a file of your own (extends: {self.name}, with ops for the {device.id}) and compile"
                    " with -t my.yaml, or a probe's answers with --overlay"
                )

    def describe(self) -> TargetDescription:
        """Return everything the target says, in words."""
        return TargetDescription(
            ref=self.ref,
            name=self.name,
            vendor=self.vendor,
            summary=self.summary,
            variant=self.variant,
            variants=self.variants,
            devices=tuple(device.describe() for device in self.devices),
            limits=limit_sentences(self.limits),
            sources=dict(self.sources),
            notes=self.notes,
        )
