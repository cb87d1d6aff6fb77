"""Latency and energy of a unit on a device: a roofline with an overhead for each operator.

For each operator, latency = max(compute, on-chip memory, off-chip memory) + overhead, where

- compute = 2 x MAC / (peak x efficiency of the class) + other operations / vector rate;
- on-chip memory = all bytes that it moves / on-chip bandwidth;
- off-chip memory = constants, and activations that do not fit on the chip, / (DRAM x derate). An NPU may take a batch
  picture by picture instead, if one fits, and read the constants again for each.

Energy = active power x (latency - overhead) + share x active power x overhead + DRAM bytes x energy a bit
+ static power of the whole machine x latency. Watts times microseconds are microjoules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dovetail.cost import defaults
from dovetail.cost.coefficients import Coefficient, DeviceCoefficients
from dovetail.cost.defaults import Precision
from dovetail.cost.work import Work

Treatment = Literal["whole", "fused", "free"]


@dataclass(frozen=True, slots=True)
class Step:
    """An operator of a unit, and how the device runs it."""

    work: Work
    treatment: Treatment = "whole"
    """`fused`: in the operator before it, without memory traffic and overhead; `free`: it is no work at all (a Q/DQ
    node of a group on a device that computes in integers)."""
    penalty: float = 1.0
    """Factor on the time that it computes."""
    vector_only: bool = False
    """The engine that runs it has the rate of the vector unit only."""
    why: str = ""
    """Reason of the penalty."""
    repeats: float = 1.0
    """How often it runs: the iterations of the loop around it."""


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a figure, for a report that prints its arithmetic."""

    name: str
    value: float
    unit: str
    source: str
    """The arithmetic, and where its coefficients come from."""


@dataclass(frozen=True, slots=True)
class _Time:
    """Microseconds of one step, and its DRAM bytes."""

    compute: float
    on_chip: float
    off_chip: float
    overhead: float
    dram_bytes: float
    dram_words: str = ""
    """What these bytes are."""

    @property
    def busy(self) -> float:
        return max(self.compute, self.on_chip, self.off_chip)


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What a unit costs on a device."""

    latency_us: float
    energy_uj: float
    """With the static power of the machine over the latency."""
    assumed: bool
    """A size or a number of iterations was not known and counts as 1."""
    steps: tuple[Step, ...]
    device: DeviceCoefficients
    precision: Precision
    static_w: float
    resident: float
    """Share of its constants that stay on the chip from run to run."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The arithmetic of both figures, operator by operator; worked out when asked for."""
        found = [term for step in self.steps for term in _step_terms(step, self)]
        return (*found, *_energy_terms(self))


def unit_cost(
    steps: Sequence[Step],
    device: DeviceCoefficients,
    precision: Precision,
    static_w: float = 0.0,
    resident: float = 0.0,
) -> UnitCost:
    """The cost of one run of a unit. O(steps).

    Args:
        steps: its operators.
        device: where it runs.
        precision: what it computes in there.
        static_w: watts that the whole machine draws whatever runs.
        resident: share of its constants that stay on the chip from run to run.
    """
    latency = energy = 0.0
    for step in steps:
        time = step_time(step, device, precision, resident)
        latency += (time.busy + time.overhead) * step.repeats
        energy += _own_energy(time, device) * step.repeats
    assumed = any(step.work.assumed for step in steps)
    energy += static_w * latency
    return UnitCost(latency, energy, assumed, tuple(steps), device, precision, static_w, resident)


def resident_share(device: DeviceCoefficients, constants: float, activations: float) -> float:
    """The share of a model's constants that stay on a device's chip from run to run.

    An NPU's compiler keeps as many as there is room for; a cache keeps all or, read in turn, none.

    Args:
        device: the device.
        constants: bytes of all constants.
        activations: bytes of the largest inputs and outputs of an operator, which need room as well.
    """
    room = device.on_chip_bytes.value - activations
    if constants <= room:
        return 1.0
    return max(0.0, room / constants) if device.kind == "npu" else 0.0


def step_time(step: Step, device: DeviceCoefficients, precision: Precision, resident: float) -> _Time:
    """The times of one run of an operator."""
    work = step.work
    if step.treatment == "free" or work.op_class == "control":
        return _Time(0, 0, 0, 0, 0)
    compute = (_mac_us(step, device, precision) + work.ops / device.vector.value * 1e-3) * step.penalty
    if step.treatment == "fused":
        return _Time(compute, 0, 0, 0, 0)
    if work.moves == "nothing":
        return _Time(0, 0, 0, 0, 0)
    activations, constants = (each * width_scale(work, precision) for each in work.traffic())
    dram, words = _dram_bytes(work, device, activations, constants * (1 - resident))
    on_chip = (activations + constants) / device.on_chip_gbps.value * 1e-3
    off_chip = dram / (device.dram_gbps.value * device.dram_derate.value) * 1e-3
    return _Time(compute, on_chip * step.penalty, off_chip, device.overhead_us.value, dram, words)


def _dram_bytes(work: Work, device: DeviceCoefficients, activations: float, constants: float) -> tuple[float, str]:
    """Bytes over the off-chip memory, and what they are."""
    room = device.on_chip_bytes.value
    if activations <= room:
        return constants, "constants"
    again = constants * work.batch
    if device.kind == "npu" and activations <= room * work.batch and again < constants + activations:
        return again, f"constants, for each of {work.batch} pictures"
    return constants + activations, "constants and activations over the on-chip memory"


def width_scale(work: Work, precision: Precision) -> float:
    """By how much the bytes of an operator grow or shrink in a device's precision."""
    if not work.width or (work.quantized and precision == "int8"):
        return 1.0
    return defaults.BYTES[precision] / work.width


def _rate(step: Step, device: DeviceCoefficients, precision: Precision) -> tuple[Coefficient, Coefficient | None]:
    """GOPS of the multiply-accumulates, and the share of it that they reach."""
    if step.vector_only:
        return device.vector, None
    op_class = step.work.op_class
    return device.peaks[precision], device.efficiency["depthwise" if op_class == "depthwise" else "dense"]


def _mac_us(step: Step, device: DeviceCoefficients, precision: Precision) -> float:
    if not step.work.macs:
        return 0.0
    peak, share = _rate(step, device, precision)
    return 2 * step.work.macs / (peak.value * (share.value if share else 1.0)) * 1e-3


def _own_energy(time: _Time, device: DeviceCoefficients) -> float:
    """Microjoules of the device and the DRAM, static power apart."""
    active = time.busy + device.waiting_share.value * time.overhead
    return device.power_w.value * active + time.dram_bytes * 8 * device.dram_pj_per_bit.value * 1e-6


def _step_terms(step: Step, cost: UnitCost) -> Iterable[Term]:
    device, name = cost.device, step.work.op_type
    time = step_time(step, device, cost.precision, cost.resident)
    if time.compute:
        yield Term(f"{name} compute", time.compute, "us", _compute_words(step, cost))
    if time.on_chip:
        rate = device.on_chip_gbps
        yield Term(f"{name} on-chip memory", time.on_chip, "us", f"bytes moved / {_words(rate)}")
    if time.off_chip:
        rates = f"({_words(device.dram_gbps)} x {_words(device.dram_derate)})"
        yield Term(
            f"{name} off-chip memory", time.off_chip, "us", f"{time.dram_bytes:.0f} B of {time.dram_words} / {rates}"
        )
    if time.overhead:
        yield Term(f"{name} overhead", time.overhead, "us", _words(device.overhead_us))
    if step.repeats != 1:
        yield Term(f"{name} repeats", step.repeats, "", "iterations of the loop around it")


def _compute_words(step: Step, cost: UnitCost) -> str:
    parts = []
    if step.work.macs:
        peak, share = _rate(step, cost.device, cost.precision)
        reached = f" x {_words(share)}" if share else ""
        parts.append(f"2 x {step.work.macs / 1e6:.4g} M MAC / ({_words(peak)}{reached})")
    if step.work.ops:
        parts.append(f"{step.work.ops / 1e6:.4g} M operations / {_words(cost.device.vector)}")
    words = " + ".join(parts)
    return words if step.penalty == 1 else f"({words}) x {step.penalty:g} ({step.why})"


def _energy_terms(cost: UnitCost) -> Iterable[Term]:
    device = cost.device
    times = [(step_time(step, device, cost.precision, cost.resident), step.repeats) for step in cost.steps]
    busy = sum(time.busy * repeats for time, repeats in times)
    waiting = sum(time.overhead * repeats for time, repeats in times)
    dram = sum(time.dram_bytes * repeats for time, repeats in times)
    power, share = device.power_w, device.waiting_share
    yield Term("computing", power.value * busy, "uJ", f"{busy:.4g} us x {_words(power)}")
    if waiting:
        yield Term(
            "waiting",
            power.value * share.value * waiting,
            "uJ",
            f"{waiting:.4g} us x {power.value:.4g} W x {_words(share)}",
        )
    if dram:
        rate = device.dram_pj_per_bit
        yield Term("DRAM", dram * 8e-6 * rate.value, "uJ", f"{dram:.0f} B x 8 x {_words(rate)}")
    static = cost.static_w * cost.latency_us
    yield Term("static", static, "uJ", f"{cost.latency_us:.4g} us x {cost.static_w:.4g} W of the whole machine")


def _words(coefficient: Coefficient) -> str:
    mark = "" if coefficient.verified else ", unverified"
    return f"{coefficient.value:.5g} {coefficient.unit} [{coefficient.source}{mark}]"
