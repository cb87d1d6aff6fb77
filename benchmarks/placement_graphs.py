"""Placement problems of any size, in the shapes that networks have.

Four families: residual blocks, a transformer, wide cells as found by architecture search, and Inception blocks. What
an operator costs follows its kind, with log-normal noise; nothing is measured. A problem is the same on every run.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dovetail.cost import CostTable
from dovetail.cost.table import Array
from dovetail.partition import Problem, Tensor

CALLER = -1
"""What a unit reads that reads an input of the model."""
DEVICES = {2: ("npu", "cpu"), 3: ("npu", "gpu", "cpu")}

_CPU_US = {
    "conv": 300.0,
    "gemm": 250.0,
    "depthwise": 60.0,
    "pool": 20.0,
    "elementwise": 15.0,
    "norm": 25.0,
    "move": 12.0,
}
_NPU_SPEED = {"conv": 30.0, "gemm": 25.0, "depthwise": 8.0, "pool": 5.0, "elementwise": 4.0, "norm": 3.0, "move": 3.0}
_GPU_SPEED = {"conv": 12.0, "gemm": 15.0, "depthwise": 6.0, "pool": 5.0, "elementwise": 3.0, "norm": 4.0, "move": 3.0}
_HAS_WEIGHTS = ("conv", "gemm", "depthwise")
_LEAST_US = {"npu": 0.5, "gpu": 2.0, "cpu": 0.2}
_WATTS = {"npu": 4.0, "gpu": 25.0, "cpu": 15.0}
_STATIC_W, _LINK_W, _LAUNCH_W = 2.0, 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of machine, and how much of a model its NPU takes."""

    name: str
    unsupported: float = 0.1
    """Part of the units that the NPU does not take; the GPU a third of it."""
    launch_us: float = 100.0
    """Of the NPU; a third of it for the GPU."""
    cpu_launch_us: float = 10.0
    link_us: float = 20.0
    link_gbps: float = 8.0
    npu_speed: float = 1.0
    """1: dense operators are 30 times faster than on the CPU."""


REGIMES = {
    regime.name: regime
    for regime in (
        Regime("base"),
        Regime("slow", launch_us=300.0, cpu_launch_us=20.0, link_us=50.0, link_gbps=4.0, npu_speed=0.3),
        Regime("gaps", unsupported=0.3),
        Regime("swift", launch_us=30.0, cpu_launch_us=5.0, link_us=5.0, link_gbps=16.0, npu_speed=3.0),
        Regime("heavy", unsupported=0.05, launch_us=1000.0),
        Regime("free", unsupported=0.1, launch_us=0.0, cpu_launch_us=0.0),
        Regime("twin", 0.05, launch_us=20.0, cpu_launch_us=5.0, link_us=5.0, link_gbps=16.0, npu_speed=0.05),
        Regime("near", 0.05, launch_us=20.0, cpu_launch_us=5.0, link_us=5.0, link_gbps=16.0, npu_speed=0.1),
        Regime("apart", unsupported=0.05, launch_us=100.0, cpu_launch_us=10.0, npu_speed=0.05),
    )
}


@dataclass(frozen=True, slots=True)
class Structure:
    """What reads what, in topological order."""

    reads: tuple[tuple[int, ...], ...]
    """For each unit, the units whose tensor it reads, or `CALLER`."""
    kinds: tuple[str, ...]


class _Builder:
    """Units, one after the other."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, ...]] = []
        self.kinds: list[str] = []

    def add(self, kind: str, *inputs: int) -> int:
        """A unit; returns its number."""
        self.reads.append(inputs)
        self.kinds.append(kind)
        return len(self.reads) - 1

    def chain(self, start: int, *kinds: str) -> int:
        """Units that read one another; returns the last."""
        for kind in kinds:
            start = self.add(kind, start)
        return start

    def cut(self, units: int) -> Structure:
        """The first units: what they read comes before them."""
        return Structure(tuple(self.reads[:units]), tuple(self.kinds[:units]))


def residual(units: int, _: np.random.Generator) -> Structure:
    """Bottleneck blocks with a sum around each."""
    build = _Builder()
    last = build.add("conv", CALLER)
    while len(build.reads) < units:
        inner = build.chain(last, "conv", "elementwise", "conv", "elementwise", "conv")
        last = build.chain(build.add("elementwise", inner, last), "elementwise")
    return build.cut(units)


def transformer(units: int, _: np.random.Generator) -> Structure:
    """Attention and a gated feed-forward part, a sum around each."""
    build = _Builder()
    last = build.add("gemm", CALLER)
    while len(build.reads) < units:
        normal = build.add("norm", last)
        query, key, value = (build.add("gemm", normal) for _ in range(3))
        scores = build.chain(build.add("gemm", query, build.add("move", key)), "elementwise", "norm")
        attended = build.chain(build.add("gemm", scores, value), "move", "gemm")
        last = build.add("elementwise", attended, last)
        wide = build.chain(last, "norm", "gemm")
        gated = build.add("elementwise", build.chain(wide, "elementwise"), wide)
        last = build.add("elementwise", build.add("gemm", gated), last)
    return build.cut(units)


def cells(units: int, draw: np.random.Generator) -> Structure:
    """Cells of five blocks; each adds two operators on results drawn from the cell, which reads the last two cells."""
    build = _Builder()
    before, last = build.add("conv", CALLER), build.add("conv", CALLER)
    while len(build.reads) < units:
        states = [before, last]
        for _ in range(5):
            first, second = draw.choice(len(states), 2)
            pair = [build.add(str(draw.choice(["conv", "depthwise", "pool"])), states[end]) for end in (first, second)]
            states.append(build.add("elementwise", *pair))
        before, last = last, build.add("move", *states[2:])
    return build.cut(units)


def inception(units: int, _: np.random.Generator) -> Structure:
    """Blocks of four branches that are concatenated."""
    build = _Builder()
    last = build.add("conv", CALLER)
    step = ("conv", "elementwise")
    while len(build.reads) < units:
        branches = [build.chain(last, *kinds) for kinds in (step, step * 2, step * 3, ("pool", *step))]
        last = build.add("move", *branches)
    return build.cut(units)


FAMILIES: dict[str, Callable[[int, np.random.Generator], Structure]] = {
    "residual": residual,
    "transformer": transformer,
    "cells": cells,
    "inception": inception,
}


def generate(family: str, units: int, devices: int, regime: Regime) -> Problem:
    """The problem of a family, a size, a number of devices and a regime."""
    seed = zlib.crc32(f"{family} {units} {devices} {regime.name}".encode())
    draw = np.random.default_rng(seed)
    return price(FAMILIES[family](units, draw), devices, regime, draw)


def price(structure: Structure, devices: int, regime: Regime, draw: np.random.Generator) -> Problem:
    """A structure with costs and verdicts, drawn."""
    names = DEVICES[devices]
    units = len(structure.reads)
    allowed = np.ones((units, devices), np.bool_)
    for index, part in enumerate((1.0, 1 / 3)[: devices - 1]):
        allowed[:, index] = draw.random(units) >= regime.unsupported * part
    tensors = _tensors(structure.reads, draw)
    edges = sorted({(unit, reader) for reader, read in enumerate(structure.reads) for unit in read if unit != CALLER})
    return Problem(
        devices=names,
        names=tuple(f"{kind}{number}" for number, kind in enumerate(structure.kinds)),
        allowed=tuple(map(tuple, allowed.tolist())),
        edges=tuple(edges),
        sizes=(1,) * units,
        pins={},
        limits={},
        tensors=tensors,
        costs=_costs(structure.kinds, tensors, names, regime, draw),
    )


def _tensors(reads: Sequence[Sequence[int]], draw: np.random.Generator) -> tuple[Tensor, ...]:
    """One for the model's input and one for each unit, 100 KB as a rule; what nobody reads is returned."""
    readers: list[list[int]] = [[] for _ in range(len(reads) + 1)]
    for reader, read in enumerate(reads):
        for unit in dict.fromkeys(read):
            readers[unit].append(reader)  # the caller's is the last
    sizes = draw.lognormal(11.5, 1.0, len(readers)).astype(int).tolist()
    made = (Tensor(sizes[unit], unit, tuple(readers[unit]), not readers[unit]) for unit in range(len(reads)))
    return (Tensor(sizes[-1], None, tuple(readers[-1])), *made)


def _costs(
    kinds: Sequence[str], tensors: Sequence[Tensor], names: Sequence[str], regime: Regime, draw: np.random.Generator
) -> CostTable:
    units = len(kinds)
    cpu = _of(_CPU_US, kinds) * draw.lognormal(0, 0.6, units)
    speed = {"npu": _of(_NPU_SPEED, kinds) * regime.npu_speed, "gpu": _of(_GPU_SPEED, kinds), "cpu": np.ones(units)}
    spread = {"npu": 0.3, "gpu": 0.3, "cpu": 0.0}
    latency = np.stack(
        [np.maximum(cpu / speed[name] * draw.lognormal(0, spread[name], units), _LEAST_US[name]) for name in names], 1
    )
    others = 1.0 - np.eye(len(names))
    sizes = np.array([tensor.bytes for tensor in tensors], float)
    transfer = (regime.link_us + sizes / regime.link_gbps * 1e-3)[:, None, None] * others
    launches = {"npu": regime.launch_us, "gpu": regime.launch_us / 3, "cpu": regime.cpu_launch_us}
    launch = np.array([launches[name] for name in names])
    weights = draw.lognormal(11.0, 1.0, units) * [kind in _HAS_WEIGHTS for kind in kinds]
    return CostTable(
        unit_latency=latency,
        unit_energy=latency * (_STATIC_W + np.array([_WATTS[name] for name in names])),
        transfer_latency=transfer,
        transfer_energy=transfer * (_STATIC_W + _LINK_W),
        launch_latency=launch,
        launch_energy=launch * (_STATIC_W + _LAUNCH_W),
        memory=np.repeat(np.floor(weights)[:, None], len(names), 1),
        capacity=np.full(len(names), np.inf),
        static_power=_STATIC_W,
        source="generated",
    )


def _of(table: dict[str, float], kinds: Sequence[str]) -> Array:
    return np.array([table[kind] for kind in kinds])
