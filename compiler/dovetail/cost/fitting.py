"""Coefficients of a device from timings of single units.

Fitted are the figures of a target's file that the cost model asks for, by their names there, in the model's own form:

- `efficiency_dense`, `efficiency_depthwise`, `vector_gops`: from units that compute longest, of the three kinds;
- `sram_gbps`, `dram_derate`: from units that move bytes longest, on the chip and outside it. Only the product of
  `dram_derate` and the bandwidth is found, so the bandwidth stays as the file has it, and so do the peaks;
- `op_overhead_us`: from the shortest units, to which nothing else adds much;
- `mac_block_in`, `mac_block_out`, `mac_block_image`, `mac_block_places`, `depthwise_block`: from units of one kind that
  fill the array by different shares. They are powers of two: arrays are built so;
- `outputs_a_pass`: from dense units of many output channels that move bytes longest. A power of two as well;
- `vector_serial`, `on_chip_activations`, `on_chip_constants`: 0 or 1, how the machine is built; from units for which
  both readings differ.

What the timings say nothing of is left as it was: a figure is fitted only where moving it changes the prediction of at
least `LEAST_MOVED` units. So few numbers can't repeat a hundred timings, and a part of the timings that was not fitted
tells how far they carry. Two of them may stand for each other: where nothing stays on the chip, `sram_gbps` can take
the part of `dram_derate`. The predictions are then the same, the meaning of the single figure is not.

The smallest mean of |log(predicted / timed)| is looked for, which takes a factor of two too much as seriously as a half
and lets single odd units be. Figures are moved one at a time, by factors that shrink: the model is a maximum of sums,
which has no derivative where it matters. Between two ways to build an array lies no small step, so a choice is tried
together with the rate that makes up for it, and the search begins from several.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from dovetail.cost.coefficients import DeviceCoefficients
from dovetail.cost.defaults import Precision
from dovetail.cost.model import Step, resident_share, step_time
from dovetail.plan.errors import LoweringError

LEAST_SAMPLES: Final = 16
"""Timings of which half is fitted."""
LEAST_MOVED: Final = 3

_BLOCKS: Final = (1.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_COARSE: Final = (4.0, 2.0, 1.4)
_FINE: Final = (1.2, 1.1, 1.05, 1.02, 1.01)
_FEW: Final = 60
"""Samples of the first, coarse search from every start."""
_STARTS: Final[tuple[dict[str, float], ...]] = (
    {},
    *(
        {"mac_block_in": block, "mac_block_out": block, "mac_block_image": 1.0, "on_chip_constants": kept}
        for block in (8.0, 32.0)
        for kept in (0.0, 1.0)
    ),
)
"""Where the search begins, beside the figures as they are: ways to build an array, with no small step between them."""
_ROUNDS: Final = 30
_GAIN: Final = 1e-4
_NUDGE: Final = 1.5
_MOVED: Final = 0.02
"""Relative change of a prediction that counts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A timed unit."""

    name: str
    steps: tuple[Step, ...]
    precision: Precision
    constants: float
    """Bytes that the device holds for it."""
    activations: float
    """Bytes of the largest inputs and outputs of an operator."""
    latency_us: float

    def predicted(self, device: DeviceCoefficients) -> float:
        """Microseconds by the cost model, of the unit as a model of its own."""
        resident = resident_share(device, self.constants, self.activations)
        times = ((step_time(step, device, self.precision, resident), step.repeats) for step in self.steps)
        return math.fsum((time.busy + time.overhead) * repeats for time, repeats in times)


@dataclass(frozen=True, slots=True)
class Freedom:
    """How a figure may move."""

    unit: str
    low: float = 0.0
    high: float = math.inf
    choices: tuple[float, ...] = ()
    """All that it may be; empty: anything from low to high."""
    beside: str = ""
    """The rate that takes up what a choice changes for all units alike, and moves with it."""


FREE: Final[Mapping[str, Freedom]] = {
    "efficiency_dense": Freedom("of the peak", 1e-4, 4),
    "efficiency_depthwise": Freedom("of the peak", 1e-4, 4),
    "vector_gops": Freedom("GOPS", 1e-3, 1e6),
    "sram_gbps": Freedom("GB/s", 1e-3, 1e6),
    "dram_derate": Freedom("of the peak", 1e-3, 4),
    "op_overhead_us": Freedom("us", 1e-3, 1e5),
    "mac_block_in": Freedom("channels", choices=_BLOCKS, beside="efficiency_dense"),
    "mac_block_out": Freedom("channels", choices=_BLOCKS, beside="efficiency_dense"),
    "mac_block_image": Freedom("channels", choices=(1, 4), beside="efficiency_dense"),
    "mac_block_places": Freedom("places", choices=_BLOCKS, beside="efficiency_dense"),
    "outputs_a_pass": Freedom("channels", choices=(16.0, 32.0, 64.0, 128.0, 256.0, 65536.0), beside="sram_gbps"),
    "depthwise_block": Freedom("channels", choices=_BLOCKS, beside="efficiency_depthwise"),
    "vector_serial": Freedom("share", choices=(0, 1), beside="vector_gops"),
    "on_chip_activations": Freedom("share", choices=(0, 1), beside="dram_derate"),
    "on_chip_constants": Freedom("share", choices=(0, 1), beside="dram_derate"),
}
"""The figures that are fitted."""

Device = Callable[[Mapping[str, float]], DeviceCoefficients]
"""The coefficients of a device with some figures in place of its own."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far predictions are from timings."""

    samples: int
    median_relative: float
    """Of |predicted - timed| / timed."""
    rank_correlation: float
    """Spearman's."""


def present(device: DeviceCoefficients) -> dict[str, float]:
    """The values that the fitted figures have now."""
    return {
        "efficiency_dense": device.efficiency["dense"].value,
        "efficiency_depthwise": device.efficiency["depthwise"].value,
        "vector_gops": device.vector.value,
        "sram_gbps": device.on_chip_gbps.value,
        "dram_derate": device.dram_derate.value,
        "op_overhead_us": device.overhead_us.value,
        "mac_block_in": device.mac_block_in.value,
        "mac_block_out": device.mac_block_out.value,
        "mac_block_image": device.mac_block_image.value,
        "mac_block_places": device.mac_block_places.value,
        "outputs_a_pass": device.outputs_a_pass.value,
        "depthwise_block": device.depthwise_block.value,
        "vector_serial": device.vector_serial.value,
        "on_chip_activations": device.on_chip_activations.value,
        "on_chip_constants": device.on_chip_constants.value,
    }


def errors_of(device: DeviceCoefficients, samples: Sequence[Sample]) -> Errors:
    """How far a device's coefficients are from some timings."""
    timed = np.array([sample.latency_us for sample in samples])
    predicted = np.array([sample.predicted(device) for sample in samples])
    constant = len(set(timed)) < 2 or len(set(predicted)) < 2
    rank = 0.0 if constant else float(spearmanr(predicted, timed).statistic)
    return Errors(len(samples), float(np.median(np.abs(predicted - timed) / timed)), rank)


def halves(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """What is fitted and what is held out, drawn by chance, the same on every run."""
    order = np.random.default_rng(0).permutation(len(samples))
    return [samples[index] for index in order[::2]], [samples[index] for index in order[1::2]]


def fit(device: Device, samples: Sequence[Sample]) -> dict[str, float]:
    """The figures under which the cost model comes closest to some timings; those that they say something of.

    A few thousand predictions of each sample: a tenth of a second for each.

    Args:
        device: makes the coefficients; called once for every trial.
        samples: timings.

    Raises:
        LoweringError: a timing is not above zero and finite, there are too few, or they determine nothing.
    """
    _check(samples)
    own = present(device({}))
    few = samples[:: max(1, len(samples) // _FEW)]
    begun = [_Search(device, few, {**own, **start}) for start in _STARTS]
    for search in begun:
        search.run(_COARSE)
    last = _Search(device, samples, min(begun, key=lambda each: each.best).values)
    last.run(_COARSE[1:] + _FINE)
    found = last.values
    determined = [name for name in FREE if _is_determined(device, found, name, samples, own[name])]
    if not determined:
        raise LoweringError("calibration: the timings determine no coefficient; give models with more kinds of layers")
    return {name: found[name] for name in determined}


def _check(samples: Sequence[Sample]) -> None:
    for sample in samples:
        if not (math.isfinite(sample.latency_us) and sample.latency_us > 0):
            raise LoweringError(
                f"calibration: '{sample.name}' took {sample.latency_us} us; a timing must be finite and above zero; "
                "leave the operator out"
            )
    if len(samples) < LEAST_SAMPLES // 2:
        raise LoweringError(
            f"calibration: {len(samples)} different units to fit, at least {LEAST_SAMPLES // 2} are needed; give more"
            " models"
        )


def _is_determined(
    device: Device, values: Mapping[str, float], name: str, samples: Sequence[Sample], *others: float
) -> bool:
    """Whether moving a figure changes the predictions of enough samples; `others`: to these values too."""
    now = device(values)
    before = [sample.predicted(now) for sample in samples]
    for other in (*others, *_moves(name, values[name], _NUDGE)):
        moved = device({**values, name: other})
        after = [sample.predicted(moved) for sample in samples]
        if sum(abs(b - a) > _MOVED * a for a, b in zip(before, after, strict=True)) >= LEAST_MOVED:
            return True
    return False


def _moves(name: str, value: float, factor: float) -> tuple[float, ...]:
    """The values that are tried instead of one."""
    freedom = FREE[name]
    tried = freedom.choices or tuple(
        min(max(each, freedom.low), freedom.high) for each in (value * factor, value / factor)
    )
    return tuple(each for each in tried if each != value)


class _Search:
    """The best figures so far."""

    def __init__(self, device: Device, samples: Sequence[Sample], values: dict[str, float]) -> None:
        self.device, self.samples, self.values = device, samples, values
        self.best = self._loss(values)

    def run(self, factors: Sequence[float]) -> None:
        """Move figures until none helps, by every factor."""
        for factor in factors:
            names = [name for name in FREE if _is_determined(self.device, self.values, name, self.samples)]
            for _ in range(_ROUNDS):
                before = self.best
                for name in names:
                    self.improve(name, factor)
                if self.best == before:
                    break

    def improve(self, name: str, factor: float) -> None:
        """Move one figure if that helps."""
        beside = FREE[name].beside
        for other in _moves(name, self.values[name], factor):
            self._try({name: other})
            for rate in _moves(beside, self.values[beside], factor) if beside else ():
                self._try({name: other, beside: rate})

    def _try(self, changes: Mapping[str, float]) -> None:
        trial = {**self.values, **changes}
        loss = self._loss(trial)
        if loss < self.best - _GAIN:
            self.best, self.values = loss, trial

    def _loss(self, values: Mapping[str, float]) -> float:
        device = self.device(values)
        logs = [abs(math.log(sample.predicted(device) / sample.latency_us)) for sample in self.samples]
        return math.fsum(logs) / len(logs)
