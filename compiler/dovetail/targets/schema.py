"""The target file as types: what may stand in it, field by field. Unknown fields are refused."""

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dovetail.plan.schema import DeviceKind
from dovetail.targets.expression import Condition
from dovetail.targets.figure import PartitionLimits
from dovetail.targets.rules.base import Confidence, Strings
from dovetail.targets.rules.kinds import AnyRule
from dovetail.targets.view import Scalar

Numerics = Literal["fp32", "fp16", "int8"]
OperatorList = Literal["listed", "partial", "unpublished"]
"""How much of what a device takes is public. `partial`: an operator of ai.onnx that is not in `ops` is unknown, not
refused. `unpublished`: nothing is, and models can't be compiled for it until somebody fills in `ops`."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class Part(BaseModel):
    """A part of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FigurePart(Part):
    """A hardware figure. It counts as unverified until the file says that it was seen in its source."""

    value: float | None = None
    """None: nobody publishes it."""
    unit: str
    source: str = ""
    verified: bool = False
    confidence: Confidence = "high"


class OperatorPart(Part):
    """One form of an operator that a device takes, or is known to refuse."""

    label: str = ""
    """The form in words, such as `depthwise`."""
    match: Condition | None = None
    """True for the operators that have this form; without it, for all."""
    supported: bool = True
    """False: the vendor lists the operator and refuses it; `notes` says why."""
    dtypes: Strings = ()
    """Element types of the tensors `dtypes_of`; empty: any."""
    quantized_dtypes: Strings = ()
    """Their element types inside a Q/DQ group, where they differ from `dtypes`."""
    dtypes_of: Strings = ("input[0]",)
    use: Strings = ()
    """Names of `rule_sets`."""
    rules: tuple[AnyRule, ...] = ()
    engine: str = ""
    source: Strings = ()
    confidence: Confidence = "high"
    notes: str = ""


def _one_or_more(value: object) -> object:
    return value if isinstance(value, list) else [value if value is not None else {}]


OperatorForms = Annotated[
    tuple[OperatorPart, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=OperatorPart | tuple[OperatorPart, ...] | None),
    Field(min_length=1),
]


class AnyOperatorPart(Part):
    """A device that takes every operator of some domains."""

    domains: tuple[str, ...]
    """The empty string is ai.onnx."""
    except_ops: Strings = ()
    refusal: str
    """Why another domain is refused."""


class BackendPart(Part):
    """The ONNX Runtime provider that runs the device; `{name}` stands for a property of the variant."""

    provider: str
    options: dict[str, str] = {}
    session_config: dict[str, str] = {}


class ToolPart(Part):
    """The vendor's own ahead-of-time compiler, where no provider leads to it: `targets probe` asks it."""

    name: Literal["vela"]
    accelerator: str
    """What it compiles for, as it names it; `{variant}` stands for the variant, `{name}` for a property of it."""


class QuantizationPart(Part):
    """The integers into which a float model is quantized for the device."""

    activations: Literal["int8", "uint8"] = "int8"
    symmetric: bool = False
    """Zero points of activations are 0."""
    weights: Literal["int8", "uint8"] = "int8"
    per_channel: bool = True
    """A scale for each output channel of the weights."""
    source: str = ""
    """Empty: an assumption, the scheme that most devices take."""

    def words(self) -> str:
        """Return the scheme in words."""
        zero = " around zero" if self.symmetric else ""
        return f"{self.activations} activations{zero}, {self.weights} weights per {self._scales()}"

    def _scales(self) -> str:
        return "channel" if self.per_channel else "tensor"


class DevicePart(Part):
    """A device of the target."""

    id: DeviceKind
    kind: DeviceKind
    name: str
    backend: BackendPart | None = None
    tool: ToolPart | None = None
    numerics: Numerics = "fp32"
    quantization: QuantizationPart = QuantizationPart()
    """What `--quantize` makes of a float model, where this is the target's first device."""
    figures: dict[str, FigurePart] = {}
    data_quality: Confidence
    data_note: str = ""
    dtype_rewrite: dict[str, str] = {}
    """Element types that the device's compiler rewrites by itself."""
    rules: tuple[AnyRule, ...] = ()
    """Rules for every operator."""
    operators: OperatorList = "listed"
    any_operator: AnyOperatorPart | None = None
    ops: dict[str, OperatorForms] = {}
    """`OpType` or `domain:OpType` -> its forms; the first whose `match` is true decides."""

    def has_operators(self) -> bool:
        """Return whether the file says what the device takes."""
        return bool(self.ops) or self.any_operator is not None

    def operator_list(self) -> OperatorList:
        """Return how much is known of what it takes; a list that somebody else filled in is `partial`."""
        if not self.has_operators():
            return "unpublished"
        return "listed" if self.operators == "listed" else "partial"

    @model_validator(mode="after")
    def _takes_something(self) -> "DevicePart":
        if self.operators != "unpublished" and not self.has_operators():
            raise ValueError("a device needs ops or any_operator, or operators: unpublished where nobody knows")
        return self


class VariantDevicePart(Part):
    """What is different about a device in a variant; figures are merged with the device's own."""

    name: str = ""
    backend: BackendPart | None = None
    """Another way to drive the same device."""
    numerics: Numerics | None = None
    figures: dict[str, FigurePart] = {}


class VariantPart(Part):
    """A configuration of the target, such as a SoC."""

    title: str
    properties: dict[str, Scalar] = {}
    """Facts that rules and backend options read by name."""
    devices: dict[str, VariantDevicePart] = {}


class LinkPart(Part):
    """The way from one device to another."""

    between: tuple[str, str]
    figures: dict[str, FigurePart]


class TargetPart(Part):
    """A whole target file."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    vendor: str
    summary: str = ""
    runtime: str = ""
    sources: dict[str, str] = {}
    """Key -> citation. A rule's `source` is a key, with `#anchor` behind it where that helps."""
    notes: tuple[str, ...] = ()
    variants: dict[str, VariantPart] = {}
    default_variant: str = ""
    """Empty: without a variant, the target is what stands outside of them."""
    rule_sets: dict[str, tuple[AnyRule, ...]] = {}
    limits: PartitionLimits = PartitionLimits({})
    links: tuple[LinkPart, ...] = ()
    devices: tuple[DevicePart, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> "TargetPart":
        """Check what spans several fields."""
        for name in (self.name, *self.variants):
            if not _NAME.fullmatch(name):
                raise ValueError(f"name {name!r} must be lower-case letters, digits, '-', '_' and '.'")
        if self.variants and self.default_variant not in ("", *self.variants):
            raise ValueError(f"default_variant must be one of {' '.join(self.variants)}")
        if not self.variants and self.default_variant:
            raise ValueError("default_variant is given, but no variants")
        ids = [device.id for device in self.devices]
        if len(set(ids)) != len(ids) or ids[-1] != "cpu":
            raise ValueError(f"devices must be different and end with the cpu, got {' '.join(ids)}")
        named = {*self.limits.max_partitions}
        named |= {name for variant in self.variants.values() for name in variant.devices}
        named |= {name for link in self.links for name in link.between}
        if unknown := sorted(named - set(ids)):
            raise ValueError(f"{' '.join(unknown)} is named, but the devices are {' '.join(ids)}")
        return self
