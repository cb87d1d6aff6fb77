"""What a user may ask of a compilation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from dovetail.compiler.calibration import Calibration
from dovetail.ir import Bindings
from dovetail.partition import Objective, PlaceOptions, Solver

MIN_SNR_DB: Final = 20.0
"""A tenth of the signal's amplitude is error: classes and boxes hardly ever change."""


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """A float model is quantized where that pays and loses little."""

    calibration: Calibration
    """An .npz, a folder of .npy files, or an iterable of mappings from input to array; see `read_samples`."""
    min_snr_db: float = MIN_SNR_DB
    """Signal to noise that every output must reach against the float model, on samples that calibrated nothing."""
    precision: Literal["int8"] = "int8"


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """Options of `compile_model`; the defaults compile the model as it is."""

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Input name -> its whole shape."""
    dims: Mapping[str, int] = field(default_factory=dict)
    """Symbolic dimension -> size."""
    binds: Mapping[str, str] = field(default_factory=dict)
    """Input name -> constant, as text: `{"sr": "16000"}`."""
    place: tuple[tuple[str, str], ...] = ()
    """Hard constraints, as (pattern, device): a glob over original node names, or `op:TYPE`. The last match counts."""
    objective: Objective = "latency"
    """What is made smallest: the time of a request, its energy, their product, or the time between requests."""
    max_latency_ms: float | None = None
    max_energy_mj: float | None = None
    solver: Solver = "auto"
    gap: float = 1e-4
    """Relative gap between value and proven bound at which the search may stop."""
    time_limit_s: float = 20.0
    """Of the search for a placement; the plan is the same on every run unless it is hit."""
    batch: int | None = None
    """Size of the first dimension of the inputs."""
    batches: tuple[int, ...] = ()
    """Batch sizes to place for; the plan holds a variant for each. Empty: the model as it is."""
    costs: tuple[Path, ...] = ()
    """Files of fitted coefficients, one a device, which go before the target's."""
    overlays: tuple[Path, ...] = ()
    """Files with answers of probes, which go before the target's rules; of two answers the later counts."""
    quantize: QuantizeOptions | None = None
    """None: the model as it is."""

    @property
    def placing(self) -> PlaceOptions:
        """What the placement is asked for."""
        return PlaceOptions(
            objective=self.objective,
            max_latency_ms=self.max_latency_ms,
            max_energy_mj=self.max_energy_mj,
            solver=self.solver,
            gap=self.gap,
            time_limit_s=self.time_limit_s,
        )

    @property
    def bindings(self) -> Bindings:
        """The loading options among them."""
        return Bindings(self.shapes, self.dims, self.binds, self.batch)
