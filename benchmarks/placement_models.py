"""Placement problems of ONNX models: with modelled costs for shipped targets, or their structure with drawn costs."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from placement_graphs import CALLER, REGIMES, Structure, price

from dovetail.compiler import CompileOptions, prepare
from dovetail.compiler.driver import tag
from dovetail.compiler.placing import make_problem
from dovetail.ir import Graph
from dovetail.partition import Problem
from dovetail.partition.order import adjacency, topological_order
from dovetail.targets import Target, load_target

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("qualcomm-hexagon-htp", "arm-ethos-u85", "nvidia-orin-dla", "intel-npu", "apple-ane-coreml")
PINNED = {
    "silero_vad": CompileOptions(binds={"sr": "16000"}, shapes={"input": (1, 512), "state": (2, 1, 128)}),
    "silero_vad_16k_op15": CompileOptions(dims={"batch": 1, "sequence": 512}),
    "magika_standard_v3_3": CompileOptions(shapes={"bytes": (1, 2048)}),
}
DRAWN = (("base", 2), ("gaps", 2), ("heavy", 2), ("base", 3), ("gaps", 3))
"""The regimes and numbers of devices for which the structure of a light model is priced."""

_KINDS = {
    "conv": ("Conv", "ConvTranspose"),
    "gemm": ("Gemm", "MatMul"),
    "pool": ("MaxPool", "AveragePool", "GlobalAveragePool"),
    "norm": ("LRN", "BatchNormalization", "Softmax", "LayerNormalization"),
    "move": ("Concat", "Reshape", "Transpose", "Flatten", "Split", "Slice"),
}
_KIND_OF = {op_type: kind for kind, op_types in _KINDS.items() for op_type in op_types}


def sample_models() -> list[Path]:
    """The sample models and, where they are, the real ones."""
    real = Path(os.environ.get("DOVETAIL_MODELS", ROOT.parent / "shared" / "models"))
    return [*sorted((ROOT / "sample_models").glob("*.onnx")), *sorted(real.glob("*.onnx"))]


def light_models() -> list[Path]:
    """The CNNs of the onnx package, without weights."""
    return sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))


def modelled(models: list[Path]) -> Iterator[tuple[str, Problem]]:
    """Each model for each target, where any unit has a choice."""
    targets = [load_target(name) for name in TARGETS]
    for path in models:
        graph = prepare(path, PINNED.get(path.stem, CompileOptions()))
        for target in targets:
            problem = _problem(graph, target)
            if any(sum(row) > 1 for row in problem.allowed):
                yield f"{path.stem} {target.name}", problem


def drawn(models: list[Path]) -> Iterator[tuple[str, Problem]]:
    """The structure of each model with drawn costs and verdicts."""
    target = load_target("cpu-only")
    for path in models:
        graph = prepare(path, CompileOptions())
        structure = _structure(graph, _problem(graph, target))
        for regime, devices in DRAWN:
            draw = np.random.default_rng(zlib.crc32(f"{path.stem} {devices} {regime}".encode()))
            yield f"{path.stem} {regime}", price(structure, devices, REGIMES[regime], draw)


def _problem(graph: Graph, target: Target) -> Problem:
    tag(graph, target)
    return make_problem(graph, target, ())


def _structure(graph: Graph, problem: Problem) -> Structure:
    order = topological_order(problem, *adjacency(len(problem.names), problem.edges))
    position = {unit: number for number, unit in enumerate(order)}
    reads: list[tuple[int, ...]] = [()] * len(order)
    for tensor in problem.tensors:
        made_by = CALLER if tensor.producer is None else position[tensor.producer]
        for unit in tensor.readers:
            reads[position[unit]] += (made_by,)
    kinds = tuple(_KIND_OF.get(graph.node(problem.names[unit]).op_type, "elementwise") for unit in order)
    return Structure(tuple(reads), kinds)


def within(problem: Problem, part: float) -> Problem:
    """The problem with room on its first device for a part of the constants alone."""
    assert problem.costs is not None
    capacity = problem.costs.capacity.copy()
    capacity[0] = part * problem.costs.memory[:, 0].sum()
    return replace(problem, costs=replace(problem.costs, capacity=capacity))
