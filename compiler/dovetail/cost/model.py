"""Latency and energy of a unit on a device: a roofline with an overhead for each operator.

For each operator, latency = max(compute, on-chip memory, off-chip memory) + overhead, where

- compute = 2 x MAC / (peak x efficiency of the class x fill) + other operations / vector rate, where the fill is the
  share of the blocks of a matrix array that products do not leave to padding (`dovetail.cost.channels`); where the
  vector unit works beside the array, the longer of the two;
- on-chip memory = all bytes that it moves / on-chip bandwidth, the input of a dense product once for as many output
  channels as there are accumulators for;
- off-chip memory = constants, and activations that do not fit on the chip or are not kept there, / (DRAM x derate).
  An NPU may take a batch
  in parts instead, of as many pictures as fit, with the constants read again and the overhead paid again for each part.

Energy = active power x (latency - overhead) + share x active power x overhead + DRAM bytes x energy a bit
+ static power of the whole machine x latency. Watts times microseconds are microjoules.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dovetail.cost import defaults
from dovetail.cost.channels import Block
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
    parts: int = 1
    """Into how many the batch is cut; the overhead is that of all."""

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
    if constants <= max(0.0, room):
        return device.on_chip_constants.value
    return device.on_chip_constants.value * max(0.0, room / constants) if device.kind == "npu" else 0.0


def step_time(step: Step, device: DeviceCoefficients, precision: Precision, resident: float) -> _Time:
    """The times of one run of an operator."""
    work = step.work
    if step.treatment == "free" or work.op_class == "control":
        return _Time(0, 0, 0, 0, 0)
    macs, others = _mac_us(step, device, precision), work.ops / device.vector.value * 1e-3 * step.penalty
    compute = max(macs, others) + device.vector_serial.value * min(macs, others)
    if step.treatment == "fused":
        return _Time(compute, 0, 0, 0, 0)
    if work.moves == "nothing":
        return _Time(0, 0, 0, 0, 0)
    activations, constants = (each * width_scale(work, precision) for each in work.traffic())
    on_chip = (activations * _reads(work, device) + constants) / device.on_chip_gbps.value * 1e-3 * step.penalty
    rate = device.dram_gbps.value * device.dram_derate.value
    ways = [
        _Time(compute, on_chip, dram / rate * 1e-3, parts * device.overhead_us.value, dram, words, parts)
        for dram, words, parts in _ways(work, device, activations, constants * (1 - resident))
    ]
    return min(ways, key=lambda way: way.busy + way.overhead)


def _reads(work: Work, device: DeviceCoefficients) -> float:
    """By how much more an operator moves on the chip than each of its activations once."""
    if work.op_class != "dense" or work.channels is None or not work.bytes_in:
        return 1.0
    passes = math.ceil(work.channels.outputs / device.outputs_a_pass.value)
    return (work.bytes_in * passes + work.bytes_out) / (work.bytes_in + work.bytes_out)


def _ways(
    work: Work, device: DeviceCoefficients, activations: float, constants: float
) -> Iterator[tuple[float, str, int]]:
    """The ways to run an operator: bytes over the off-chip memory, what they are, and parts of the batch."""
    room = device.on_chip_bytes.value
    if activations <= room:
        left = activations * (1 - device.on_chip_activations.value)
        yield constants + left, "constants and activations" if left else "constants", 1
        return
    yield constants + activations, "constants and activations over the on-chip memory", 1
    together = math.floor(room * work.batch / activations)
    if device.kind == "npu" and together:
        parts = math.ceil(work.batch / together)
        yield constants * parts, f"constants, for each of {parts} parts of the batch", parts


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
    rate = peak.value * (share.value if share else 1.0)
    return 2 * step.work.macs / rate * 1e-3 * max(step.penalty, 1 / fill_of(step, device, precision))


def fill_of(step: Step, device: DeviceCoefficients, precision: Precision) -> float:
    """The share of the matrix array's blocks that an operator fills; 1 where it is not the array that computes it.

    A soft rule often stands for the same padding: of its penalty and the fill, the multiply-accumulates bear the worse.
    """
    channels = step.work.channels
    if channels is None or step.vector_only or precision == "fp32":
        return 1.0
    block = Block(
        device.mac_block_in.value,
        device.mac_block_out.value,
        device.mac_block_image.value,
        device.mac_block_places.value,
    )
    if step.work.op_class == "depthwise":
        return channels.fill_depthwise(device.depthwise_block.value, block)
    return channels.fill(block)


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
        parts = f" x {time.parts} parts of the batch" if time.parts > 1 else ""
        yield Term(f"{name} overhead", time.overhead, "us", _words(device.overhead_us) + parts)
    if step.repeats != 1:
        yield Term(f"{name} repeats", step.repeats, "", "iterations of the loop around it")


def _compute_words(step: Step, cost: UnitCost) -> str:
    parts = []
    penalty = "" if step.penalty == 1 else f" x {step.penalty:g} ({step.why})"
    if step.work.macs:
        peak, share = _rate(step, cost.device, cost.precision)
        fill = fill_of(step, cost.device, cost.precision)
        padded = _fill_words(step, cost.device, fill) if 1 / fill > step.penalty else ""
        rate = _words(peak) + (f" x {_words(share)}" if share else "") + padded
        parts.append(f"2 x {step.work.macs / 1e6:.4g} M MAC / ({rate}){'' if padded else penalty}")
    if step.work.ops:
        parts.append(f"{step.work.ops / 1e6:.4g} M operations / {_words(cost.device.vector)}{penalty}")
    beside = len(parts) > 1 and cost.device.vector_serial.value < 1
    return " beside ".join(parts) if beside else " + ".join(parts)


def _fill_words(step: Step, device: DeviceCoefficients, fill: float) -> str:
    channels = step.work.channels
    if channels is None:
        return ""
    groups = f", {channels.groups} groups" if channels.groups > 1 else ""
    widths = f"{channels.contraction} x {channels.outputs} channels{groups}"
    blocks = f"{_words(device.mac_block_in)} x {_words(device.mac_block_out)}"
    if step.work.op_class == "depthwise":
        widths, blocks = f"{channels.groups * channels.outputs} channels", _words(device.depthwise_block)
    if device.mac_block_places.value > 1 and channels.places:
        widths = f"{widths} at {channels.places} places"
        blocks = f"{blocks} at {_words(device.mac_block_places)}"
    return f" x fill {fill:.3g} of {widths} in blocks of {blocks}"


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
