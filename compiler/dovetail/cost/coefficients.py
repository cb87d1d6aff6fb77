"""From a target's figures to the coefficients of the cost model; what is missing is derived or assumed, and says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dovetail.cost import defaults
from dovetail.cost.defaults import PRECISIONS, Given, Precision
from dovetail.cost.work import OpClass
from dovetail.plan.schema import DeviceKind
from dovetail.targets.figure import Figure, Link
from dovetail.targets.target import CostSource, Device, Target

_SCALE: Final = {"tops": 1e3, "tflops": 1e3, "gops": 1.0, "gflops": 1.0}
_PEAKS: Final[dict[Precision, tuple[str, ...]]] = {
    "int8": ("peak_int8_tops", "peak_int8_gops"),
    "fp16": ("peak_fp16_tflops", "peak_bf16_tflops"),
    "fp32": ("peak_fp32_tflops", "peak_fp32_gflops"),
}
_CARD_WORDS: Final = ("PCIe", "USB")


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A number of the cost model with where it comes from, as `targets.Figure` but never without a value."""

    value: float
    unit: str
    source: str
    verified: bool = False
    confidence: str = "low"


@dataclass(frozen=True, slots=True, eq=False)
class DeviceCoefficients:
    """Everything that the model asks of a device."""

    id: DeviceKind
    kind: DeviceKind
    name: str
    numerics: Precision
    """What floats become on it."""
    computes_int8: bool
    """Quantized units run in integers; elsewhere in floats, with the conversions around them."""
    peaks: Mapping[Precision, Coefficient]
    """GOPS; a multiply-accumulate is two operations."""
    efficiency: Mapping[OpClass, Coefficient]
    """Share of the peak, of dense and depthwise multiply-accumulates."""
    mac_block_in: Coefficient
    """Input channels that the matrix array takes at once; see `dovetail.cost.channels`."""
    mac_block_out: Coefficient
    mac_block_image: Coefficient
    """A convolution of no more input channels fills the array with a row of its kernel."""
    mac_block_places: Coefficient
    """Places of the output for which a block of weights stays in the array."""
    outputs_a_pass: Coefficient
    """Output channels for which the accumulators have room: the input of a dense product is read again for as many."""
    depthwise_block: Coefficient
    """Channels that a depthwise convolution takes at once."""
    vector: Coefficient
    """GOPS of all other arithmetic, in additions."""
    vector_serial: Coefficient
    """Share of it that waits for the multiply-accumulates of the same operator; the rest is done beside them."""
    dram_gbps: Coefficient
    dram_derate: Coefficient
    dram_pj_per_bit: Coefficient
    on_chip_bytes: Coefficient
    on_chip_activations: Coefficient
    """Share of the activations that stay on the chip where they fit; the rest lies in the DRAM between operators."""
    on_chip_constants: Coefficient
    """Share of the constants that stay on the chip from run to run where there is room."""
    on_chip_gbps: Coefficient
    launch_us: Coefficient
    """For each partition."""
    overhead_us: Coefficient
    """For each operator that is not fused into another."""
    power_w: Coefficient
    """While it computes, on top of its idle power; the energy of the DRAM is apart."""
    idle_w: Coefficient
    waiting_share: Coefficient
    """Of `power_w`, during `overhead_us`."""
    capacity: Coefficient | None
    """Bytes of its own memory; None: the machine's."""
    costs: CostSource = "modelled"
    """What times that come of it are."""


@dataclass(frozen=True, slots=True)
class LinkCoefficients:
    """The way from one device to another, in both directions."""

    latency_us: Coefficient
    gbps: Coefficient | None
    """None: the memory is shared and nothing is copied."""
    convert_gbps: Coefficient
    """Bytes a second of a change of layout or element type at the border."""
    pj_per_bit: Coefficient
    """Of a copy over the link."""


@dataclass(frozen=True, slots=True, eq=False)
class MachineCoefficients:
    """The coefficients of a whole target."""

    devices: tuple[DeviceCoefficients, ...]
    links: Mapping[tuple[str, str], LinkCoefficients]
    """By device ids; both directions are there, but only for links that exist: others lead through the CPU."""
    static_w: Coefficient
    """The idle power of all devices together, drawn whatever runs."""
    launch_w: Coefficient
    """What the host draws while it launches a partition."""

    def device(self, device_id: str) -> DeviceCoefficients:
        """A device by its id; KeyError where there is none."""
        for device in self.devices:
            if device.id == device_id:
                return device
        raise KeyError(device_id)


def coefficients_of(target: Target) -> MachineCoefficients:
    """The coefficients of a target. A figure of the file comes first, then a derivation, then a default."""
    links = {pair: link for link in target.links for pair in (_pair(link), _pair(link)[::-1])}
    devices = tuple(_Reader(device, target, links.get((device.id, "cpu"))).read() for device in target.devices)
    by_id: dict[str, DeviceCoefficients] = {device.id: device for device in devices}
    idle = sum(device.idle_w.value for device in devices)
    words = " + ".join(f"{device.id} {device.idle_w.value:.3g}" for device in devices)
    cores, why = defaults.HOST_CORES
    cpu = devices[-1].power_w.value
    return MachineCoefficients(
        devices=devices,
        links={pair: _link(link, by_id[pair[0]], by_id[pair[1]]) for pair, link in links.items()},
        static_w=Coefficient(idle, "W", f"idle power of {words} W"),
        launch_w=Coefficient(cpu / cores, "W", f"assumed: {why}, of {cpu:.3g} W"),
    )


def default_link(a: DeviceCoefficients, b: DeviceCoefficients) -> LinkCoefficients:
    """What is assumed of two devices of which the target says nothing: they share their memory."""
    return _link(None, a, b)


def _pair(link: Link) -> tuple[str, str]:
    return (link.source, link.destination)


def _link(link: Link | None, a: DeviceCoefficients, b: DeviceCoefficients) -> LinkCoefficients:
    figures: Mapping[str, Figure] = {} if link is None else link.figures
    gbps = _given(figures, "gbps") if _is_card(link) else None
    memory = max(a.dram_gbps.value, b.dram_gbps.value) if gbps else min(a.dram_gbps.value, b.dram_gbps.value)
    share, why = defaults.CONVERT_SHARE
    convert = Coefficient(memory * share, "GB/s", f"assumed: {share} {why}, {memory:.4g} GB/s")
    if gbps is None and (named := _given(figures, "gbps")):
        convert = named
    return LinkCoefficients(
        _given(figures, "latency_us") or _assumed(defaults.LINK_LATENCY_US, "us"),
        gbps,
        convert,
        _given(figures, "pj_per_bit") or _assumed(defaults.CARD_PJ_PER_BIT, "pJ/bit"),
    )


def _is_card(link: Link | None) -> bool:
    """Whether the device sits behind a bus of its own, with its own memory."""
    sources = () if link is None else (figure.source for figure in link.figures.values())
    return any(word in source for source in sources for word in _CARD_WORDS)


def _assumed(given: Given, unit: str) -> Coefficient:
    return Coefficient(given[0], unit, f"assumed: {given[1]}")


def _given(figures: Mapping[str, Figure], *names: str) -> Coefficient | None:
    """The first of some figures that has a value above zero."""
    for name in names:
        figure = figures.get(name)
        if figure is not None and figure.value:
            source = figure.source or "the target file"
            return Coefficient(figure.value, figure.unit, source, figure.verified, figure.confidence)
    return None


def _derived(base: Coefficient, factor: float, unit: str, how: str) -> Coefficient:
    """A coefficient worked out from another by an assumed factor; it is never verified."""
    return Coefficient(base.value * factor, unit, f"derived: {how}, from {base.value:.5g} {base.unit} ({base.source})")


class _Reader:
    """Reads one device."""

    def __init__(self, device: Device, target: Target, link: Link | None) -> None:
        self.device, self.target, self.link = device, target, link
        self.kind, self.figures = device.kind, device.figures
        self.is_card = _is_card(link)

    def read(self) -> DeviceCoefficients:
        peaks = self._peaks()
        dram = self._dram()
        pj = _given(self.figures, "dram_pj_per_bit") or _assumed(defaults.DRAM_PJ_PER_BIT, "pJ/bit")
        power, idle = self._powers(peaks, dram, pj)
        return DeviceCoefficients(
            id=self.device.id,
            kind=self.kind,
            name=self.device.name,
            numerics=self.device.numerics,
            computes_int8=self.kind == "npu" or _given(self.figures, *_PEAKS["int8"]) is not None,
            peaks=peaks,
            efficiency=self._efficiencies(),
            mac_block_in=self._block("mac_block_in"),
            mac_block_out=self._block("mac_block_out"),
            mac_block_image=_given(self.figures, "mac_block_image") or _assumed(defaults.MAC_BLOCK_IMAGE, "channels"),
            mac_block_places=_given(self.figures, "mac_block_places") or _assumed(defaults.MAC_BLOCK_PLACES, "places"),
            outputs_a_pass=_given(self.figures, "outputs_a_pass") or _assumed(defaults.OUTPUTS_A_PASS, "channels"),
            depthwise_block=_given(self.figures, "depthwise_block") or _assumed(defaults.DEPTHWISE_BLOCK, "channels"),
            vector=self._vector(peaks),
            vector_serial=self._share("vector_serial", defaults.VECTOR_SERIAL),
            dram_gbps=dram,
            dram_derate=self._derate(),
            dram_pj_per_bit=pj,
            on_chip_bytes=_given(self.figures, "sram_bytes", "l2_bytes")
            or _assumed(defaults.ON_CHIP_BYTES[self.kind], "B"),
            on_chip_activations=self._share("on_chip_activations", defaults.ON_CHIP_ACTIVATIONS),
            on_chip_constants=self._share("on_chip_constants", defaults.ON_CHIP_CONSTANTS),
            on_chip_gbps=self._on_chip(peaks, dram),
            launch_us=self._launch(),
            overhead_us=self._overhead(peaks),
            power_w=power,
            idle_w=idle,
            waiting_share=_assumed(defaults.WAITING_SHARE[self.kind], "of the power"),
            capacity=_given(self.figures, "mem_bytes"),
            costs=self.device.costs,
        )

    def _peaks(self) -> dict[Precision, Coefficient]:
        known = {name: self._peak(name) for name in PRECISIONS}
        found = {name: peak for name, peak in known.items() if peak is not None}
        if not found:
            small = "Cortex-M" in self.device.name
            found["int8"] = _assumed(defaults.MICROCONTROLLER_GOPS if small else defaults.PEAK_GOPS[self.kind], "GOPS")
        return {name: found[name] if name in found else self._derive_peak(found, name) for name in PRECISIONS}

    def _peak(self, precision: Precision) -> Coefficient | None:
        for name in _PEAKS[precision]:
            found = _given(self.figures, name)
            if found is not None:
                scale = _SCALE[name.rpartition("_")[2]]
                return Coefficient(found.value * scale, "GOPS", found.source, found.verified, found.confidence)
        return None

    def _derive_peak(self, found: Mapping[Precision, Coefficient], wanted: Precision) -> Coefficient:
        """From the nearest known precision, by the steps of the device's kind."""
        order = PRECISIONS.index(wanted)
        ordered = [name for name in PRECISIONS if name in found]
        ordered = ordered[::-1] if self.kind == "cpu" else ordered  # of two as near: a CPU's floats have one rate
        near = min(ordered, key=lambda name: abs(PRECISIONS.index(name) - order))
        factor, steps = 1.0, defaults.PRECISION_STEPS[self.kind]
        for step in range(min(order, PRECISIONS.index(near)), max(order, PRECISIONS.index(near))):
            factor *= steps[step]
        finer = order > PRECISIONS.index(near)
        how = f"{wanted} = {near} {'/' if finer else 'x'} {factor:g}, assumed"
        return _derived(found[near], 1 / factor if finer else factor, "GOPS", how)

    def _efficiencies(self) -> dict[OpClass, Coefficient]:
        return {
            name: _given(self.figures, f"efficiency_{name}") or _assumed(given, "of the peak")
            for name, given in defaults.EFFICIENCY[self.kind].items()
        }

    def _block(self, name: str) -> Coefficient:
        rows, columns, why = defaults.CUDA_MAC_BLOCK if self._is_cuda() else defaults.MAC_BLOCK[self.kind]
        given = (rows if name == "mac_block_in" else columns, why)
        return _given(self.figures, name) or _assumed(given, "channels")

    def _share(self, name: str, otherwise: Given) -> Coefficient:
        """A share, which may be zero."""
        figure = self.figures.get(name)
        if figure is None or figure.value is None:
            return _assumed(otherwise, "share")
        return Coefficient(figure.value, figure.unit, figure.source, figure.verified, figure.confidence)

    def _vector(self, peaks: Mapping[Precision, Coefficient]) -> Coefficient:
        share, why = defaults.VECTOR_SHARE[self.kind]
        base = peaks["int8" if self.kind == "npu" else "fp32"]
        return _given(self.figures, "vector_gops") or _derived(base, share, "GOPS", f"assumed {share} {why}")

    def _derate(self) -> Coefficient:
        if self._is_over_bus():
            return Coefficient(1, "of the bus", "derived: the rate of the link is what it reaches in practice")
        return _given(self.figures, "dram_derate") or _assumed(defaults.DRAM_DERATE, "of the peak")

    def _is_over_bus(self) -> bool:
        """Whether everything that is not on the chip comes over a bus: there is no memory of its own."""
        return self.is_card and _given(self.figures, "dram_gbps") is None

    def _dram(self) -> Coefficient:
        own = _given(self.figures, "dram_gbps")
        if own is not None:
            return own
        if self._is_over_bus() and self.link is not None and (bus := _given(self.link.figures, "gbps")):
            return _derived(bus, 1, "GB/s", "no memory of its own is known, so over the bus")
        for other in self.target.devices:
            shared = _given(other.figures, "dram_gbps")
            if shared is not None and not self._behind_bus(other):
                return _derived(shared, 1, "GB/s", f"the memory is shared with the {other.id}")
        return _assumed(defaults.DRAM_GBPS[self.kind], "GB/s")

    def _behind_bus(self, other: Device) -> bool:
        return any(_is_card(link) for link in self.target.links if other.id in _pair(link))

    def _on_chip(self, peaks: Mapping[Precision, Coefficient], dram: Coefficient) -> Coefficient:
        share, how = defaults.ON_CHIP_SHARE[self.kind]
        base = {"npu": peaks["int8"], "gpu": dram, "cpu": peaks["fp32"]}[self.kind]
        return _given(self.figures, "sram_gbps") or _derived(base, share, "GB/s", f"assumed, {how}")

    def _is_cuda(self) -> bool:
        backend = self.device.backend
        return self.kind == "gpu" and backend is not None and backend.provider.startswith(("CUDA", "Tensorrt"))

    def _launch(self) -> Coefficient:
        given = defaults.CUDA_LAUNCH_US if self._is_cuda() else defaults.LAUNCH_US[self.kind]
        return _given(self.figures, "launch_us", "dispatch_us") or _assumed(given, "us")

    def _overhead(self, peaks: Mapping[Precision, Coefficient]) -> Coefficient:
        given = defaults.CUDA_OVERHEAD_US if self._is_cuda() else defaults.OVERHEAD_US[self.kind]
        if self.kind == "cpu":
            each, words = defaults.FORK_JOIN_US_PER_GOPS
            given = (given[0] + each * peaks["fp32"].value, f"{given[1]}, {words}")
        return _given(self.figures, "op_overhead_us") or _assumed(given, "us")

    def _powers(
        self, peaks: Mapping[Precision, Coefficient], dram: Coefficient, pj: Coefficient
    ) -> tuple[Coefficient, Coefficient]:
        """Power while computing, without idle power and the DRAM's, and idle power."""
        full = _given(self.figures, "power_w") or self._assumed_power(peaks)
        share, why = defaults.IDLE_SHARE
        idle = _given(self.figures, "idle_power_w") or _derived(full, share, "W", f"assumed {share} {why}")
        memory = dram.value * 8e-3 * pj.value if self.is_card and not self._is_over_bus() else 0.0
        memory = min(memory, full.value / 2)
        rest = full.value - idle.value - memory
        parts = f"idle {idle.value:.3g}" + (f", memory at full rate {memory:.3g}" if memory else "")
        source = f"{full.value:.3g} W ({full.source}) less {parts}"
        return Coefficient(rest, "W", f"derived: {source}"), idle

    def _assumed_power(self, peaks: Mapping[Precision, Coefficient]) -> Coefficient:
        each, why = defaults.WATTS_PER_GOPS[self.kind]
        names: dict[DeviceKind, Precision] = {"npu": "int8", "gpu": "fp16", "cpu": "fp32"}
        return Coefficient(peaks[names[self.kind]].value * each, "W", f"assumed: {why}")
