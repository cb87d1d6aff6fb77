"""The execution plan as plain data: what `plan.json` holds, field by field.

Frozen dataclasses of str, int, float, bool, None, tuples and dicts: nothing in a plan is ever executed.
Names of nodes and tensors are those of the user's ONNX model.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from dovetail.plan.codes import code_of

SCHEMA_VERSION = 3
OBJECTIVE_UNITS: Final = {"latency": "ms", "energy": "mJ", "edp": "ms*mJ", "throughput": "ms a request"}
"""Of `Predicted.value`, by `Plan.objective`."""

DeviceKind = Literal["npu", "gpu", "cpu"]
State = Literal["supported", "soft", "unsupported", "unknown"]
Dim = int | str | None
"""A dimension: a size, the name of a symbolic size, or None where nothing is known."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor at a boundary: `dtype` is a NumPy name (`float32`, `int64`, ...; `string` for text)."""

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None
    """None where the rank is unknown."""


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """How a device runs a partition: an ONNX Runtime provider, by name, with its options."""

    provider: str
    """For example `CPUExecutionProvider`, `QNNExecutionProvider`, `CUDAExecutionProvider`."""
    options: dict[str, str] = field(default_factory=dict)
    session_config: dict[str, str] = field(default_factory=dict)
    """ONNX Runtime session configuration entries."""


@dataclass(frozen=True, slots=True)
class PlanDevice:
    """A device of the target, in order of preference in `Plan.devices`."""

    id: str
    kind: DeviceKind
    name: str
    backend: BackendSpec | None
    """None: nothing on any host runs this device; its partitions are emulated or fall to the next device."""
    numerics: Literal["fp32", "fp16", "int8"] = "fp32"
    """What floats become there: `fp16` rounds every float tensor, `int8` knows quantized tensors only."""


@dataclass(frozen=True, slots=True)
class PlanPartition:
    """A device subgraph, lowered to a stand-alone ONNX model."""

    id: str
    """`000-npu`, `001-cpu`, ... in run order."""
    device: str
    kind: DeviceKind
    nodes: tuple[str, ...]
    """Original ONNX node names."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    file: str
    """Path inside the plan folder, with forward slashes."""
    emulated_file: str | None
    """The same partition with the device's float rounding made explicit, to be run on the CPU. None where
    `file` itself has the device's numerics (quantized tensors only, or an fp32 device)."""
    fallback: tuple[str, ...]
    """Devices that may run it instead, in order. The CPU is always the last."""
    after: tuple[str, ...] = ()
    """Partitions that must have run before: it reads what they make, or ONNX orders them."""
    concurrent: tuple[str, ...] = ()
    """Partitions of other devices that are predicted to run at the same time."""
    predicted: dict[str, float] | None = None
    """`start_ms` and `end_ms` after the start of a request; `latency_ms` and `energy_mj` of its units and launch."""
    compiled_file: str | None = None
    """The same partition as its device's own compiler has made it, a model of EPContext operators with binaries beside
    it. None where it was not compiled; `file` is what other devices run."""


@dataclass(frozen=True, slots=True)
class Step:
    """Run one partition: slots are indices into `Plan.slots`."""

    partition: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    free: tuple[int, ...]
    """Slots that nothing reads after this step and that are not outputs of the plan."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that decided a verdict: the rule, what was found, what is allowed."""

    rule: str
    """The rule's kind, for example `dtype`, `rank`, `const_input`, `op_list`, `pinned`."""
    message: str
    """One sentence for the user, complete in itself."""
    got: str
    allowed: str
    source: str = ""
    confidence: str = "high"
    fix: str = ""
    """What the user can do, where that is known."""
    code: str = ""
    """Of the rule, as `dovetail.plan.codes` has it: `DV104`. It need not be given."""

    def __post_init__(self) -> None:
        """Complete the code."""
        if not self.code:
            object.__setattr__(self, "code", code_of(self.rule))


@dataclass(frozen=True, slots=True)
class CostTerm:
    """A part of a figure, with its arithmetic in words."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """What a unit costs on a device, its launch and transfers apart."""

    latency_us: float
    energy_uj: float
    assumed: bool
    """A size or a number of iterations is not known and counts as 1."""
    source: str
    """`modelled`, `vendor estimate` or `measured`."""
    terms: tuple[CostTerm, ...]


@dataclass(frozen=True, slots=True)
class PlanVerdict:
    """The answer for one operator on one device."""

    device: str
    state: State
    reasons: tuple[Reason, ...] = ()
    engine: str = ""
    cost: int | None = None
    """Index into `Plan.costs`: what the operator's unit costs there. None where the device does not take it, and for
    operators in bodies."""


@dataclass(frozen=True, slots=True)
class PlanOperator:
    """An operator of the compiled graph and why it is where it is."""

    name: str
    op_type: str
    domain: str
    device: str
    partition: str
    unit: int
    """Index of the unit (operators that stay together) it belongs to."""
    verdicts: tuple[PlanVerdict, ...]
    """One for every device of the target, in the target's order."""
    reason: str
    """Why it is not on the first device of the target; empty where it is."""
    origins: tuple[str, ...] = ()
    """Original node names, where a pass made this operator from several or renamed it."""
    inside: str = ""
    """Name of the If, Loop or Scan operator whose body holds it; empty at the top."""
    cost: dict[str, float] | None = None
    """`latency_us` and `energy_uj` of its unit where it is placed, for the unit's main operator alone."""
    fallback: Reason | None = None
    """Why it is not on the first device of the target, as what decided it: the first rule that keeps it off, a pin, a
    limit of the target, or its cost. None where it is there."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tensor that crosses from one device to another, once per destination device."""

    tensor: str
    source: str
    """Device id, or `host` for an input of the model."""
    destination: str
    bytes: int | None
    """None where a dimension is symbolic."""
    consumers: tuple[str, ...]
    """Partition ids on the destination device that read it."""
    cost: dict[str, float] | None = None
    """`latency_us` and `energy_uj` as modelled, with the conversion of layout and type; a symbolic dimension counts as
    1. None where the plan has no figures."""


ALL_ON: Final = "all on "
"""Begins the name of an alternative that has the whole model on one device, whose id ends it."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A simpler placement, under the same costs, with its partitions one after the other."""

    name: str
    """`all on cpu`, `greedy`, ..."""
    latency_ms: float
    energy_mj: float


@dataclass(frozen=True, slots=True)
class Predicted:
    """Figures of one request; all None until a cost model has filled them."""

    latency_ms: float | None = None
    """With all devices and links working at the same time where they can."""
    serial_latency_ms: float | None = None
    """Of the same partitions one after the other."""
    energy_mj: float | None = None
    period_ms: float | None = None
    """Between two requests in a pipeline: the load of the busiest device."""
    value: float | None = None
    """Of the objective, for the proven placement, partitions one after the other: ms, mJ, ms * mJ, or ms a request."""
    lower_bound: float | None = None
    """No placement has a smaller value."""
    gap: float | None = None
    """(value - lower_bound) / lower_bound."""
    solver: str = ""
    timed_out: bool = False
    """The time limit ended the search: another run may find another placement."""
    concurrent: bool = False
    """The partitions are not those of the proven placement: with devices at work at the same time, these are faster."""
    alternatives: tuple[Alternative, ...] = ()
    source: str = "none"
    """`modelled`, `vendor estimate`, `measured`, or `none` where no figure is given."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that a plan was made from."""

    name: str
    sha256: str
    bindings: dict[str, str] = field(default_factory=dict)
    """The loading options, as `--shape x` -> `1,3,224,224`, `--dim batch` -> `1`, `--bind sr` -> `16000`."""
    eliminated: tuple[str, ...] = ()
    """Original nodes that folded away at compile time."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Its `metadata_props`: what its makers say of it, for example labels."""
    graph: str = ""
    """The graph's name in the file."""
    producer: str = ""
    domain: str = ""
    version: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """How far a tensor is from what the unsplit model makes on the CPU, over all samples."""

    partition: str
    """That made it, from inputs without error; empty for an output of the whole plan."""
    tensor: str
    max_abs_error: float | None
    """None where the two can't be compared, for example in another shape."""
    snr_db: float
    """10 * log10(sum of reference^2 / sum of error^2); 200 where nothing differs."""
    cosine: float
    limit_db: float
    """What it must reach."""
    holds: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """The proof that a plan was compiled by the devices' own compilers, was run, and computes what the model does."""

    holds: bool
    """Every tensor is close enough."""
    tools: tuple[str, ...]
    """Compilers and simulators, with their versions."""
    versions: dict[str, str]
    """Package -> version, of what computed the reference."""
    samples: int
    inputs_sha256: str
    """Of the bytes of all inputs, sample by sample."""
    compiles: int
    """How often a compiler was really asked; results are kept from one compilation to the next."""
    checks: tuple[TensorCheck, ...]


@dataclass(frozen=True, slots=True)
class Quantization:
    """The choice between a float model and its quantized form, and what it was made by."""

    precision: Literal["int8"]
    scheme: str
    """In words, such as `uint8 activations, int8 weights per channel`."""
    taken: bool
    """The plan is that of the quantized model."""
    reason: str
    samples: int
    """How many the ranges of tensors come from."""
    held_out: int
    """How many others the losses were measured on."""
    min_snr_db: float
    """What every output had to reach."""
    snr_db: dict[str, float]
    """Output, or the float tensor that an output of another type is made from -> its signal to noise against the float
    model; as in `TensorCheck`. With all operators in integers, where no mixture reached the bound."""
    operators_db: dict[str, float]
    """Operator -> the same for what it makes, with all that was lost before it."""
    kept_float: tuple[str, ...]
    """Operators that would lose too much."""
    float_value: float | None
    """Of the objective, as in `Predicted`, summed over batch sizes; None where no placement keeps the bounds."""
    quantized_value: float | None
    """The same of the quantized model; None also where there is none that is close enough."""
    ranges: dict[str, tuple[float, ...]]
    """Input -> its smallest and largest value among the samples."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The plan for another batch size; its fields are those of `Plan`."""

    batch: int
    placement: int
    """Number of its placement, from 0, which is the plan's own: variants of one number place all operators alike."""
    predicted: Predicted
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    slots: tuple[TensorSpec, ...]
    partitions: tuple[PlanPartition, ...]
    steps: tuple[Step, ...]
    operators: tuple[PlanOperator, ...]
    transfers: tuple[Transfer, ...]
    costs: tuple[UnitFigures, ...]
    notes: tuple[str, ...]
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A placement that no other one found is better than in both latency and energy."""

    latency_ms: float
    """Partitions one after the other."""
    energy_mj: float
    partitions: int
    device_of: dict[str, str]
    """Operator -> device."""


@dataclass(frozen=True, slots=True)
class Front:
    """The front between latency and energy of a model on a target, by latency."""

    model: str
    target: str
    devices: tuple[str, ...]
    source: str
    points: tuple[FrontPoint, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole execution plan."""

    dovetail_version: str
    model: ModelInfo
    target: str
    """`name` or `name:variant`."""
    objective: str
    predicted: Predicted
    devices: tuple[PlanDevice, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    slots: tuple[TensorSpec, ...]
    """Every tensor that a step reads or writes."""
    partitions: tuple[PlanPartition, ...]
    steps: tuple[Step, ...]
    operators: tuple[PlanOperator, ...]
    transfers: tuple[Transfer, ...]
    costs: tuple[UnitFigures, ...] = ()
    """Of all units that differ, on all devices that take them; see `PlanVerdict.cost`."""
    notes: tuple[str, ...] = ()
    """What the user should know: figures of low confidence, limits that gave partitions back."""
    batch: int | None = None
    """The batch size that it was asked for; None where none was."""
    variants: tuple[Variant, ...] = ()
    """For other batch sizes."""
    certificate: Certificate | None = None
    """None where the plan was not verified; a note says why, if that was asked for."""
    quantization: Quantization | None = None
    """None where it was not asked for."""
    files: dict[str, str] = field(default_factory=dict)
    """Path inside the plan folder -> SHA-256 in hexadecimal."""
    schema_version: int = SCHEMA_VERSION

    def _repr_html_(self) -> str:
        """The verdict, as notebooks show it."""
        from dovetail.plan.verdict import verdict_html  # which reads plans, so that neither can come first

        return verdict_html(self)
