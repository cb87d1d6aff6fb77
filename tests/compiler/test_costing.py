"""The cost table of whole models: shapes, transfers, bodies, and what must follow from the physics."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from tests.conftest import model_from_text

from dovetail.compiler.costing import make_costs, unit_terms
from dovetail.compiler.driver import prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import make_problem
from dovetail.compiler.unit_facts import crossing_tensors, units_of
from dovetail.cost import CostTable
from dovetail.ir import Graph
from dovetail.partition import Placement, Problem, Tensor, phases
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, UnitTag
from dovetail.targets import Target, load_target, target_names

SAMPLES: Final = Path(__file__).parents[2] / "sample_models"


@dataclass(frozen=True)
class Case:
    """A tagged model on a target, and its costs."""

    graph: Graph
    target: Target
    tensors: tuple[Tensor, ...]
    table: CostTable
    problem: Problem

    def unit(self, node: str) -> int:
        return self.graph.tag(node, UnitTag).index

    def latency(self, node: str, device: str) -> float:
        return float(self.table.unit_latency[self.unit(node), self.problem.devices.index(device)])


def case(model: Path | bytes, target_name: str, batch: int | None = None) -> Case:
    graph, target = prepare(model, CompileOptions(batch=batch)), load_target(target_name)
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    units = units_of(graph)
    tensors = crossing_tensors(graph, {node: graph.tag(node, UnitTag).index for node in graph})
    table = make_costs(graph, target, units, tensors)
    return Case(graph, target, tensors, table, make_problem(graph, target, ()))


def text(body: str, target: str = "nvidia-orin-dla") -> Case:
    return case(model_from_text(body, 17).SerializeToString(), target)


@pytest.mark.parametrize("name", target_names())
def test_costs_are_finite_and_not_negative_on_every_target(name: str) -> None:
    found = case(SAMPLES / "ssd_detector.onnx", name)
    table, units, count = found.table, len(found.problem.names), len(found.target.devices)
    assert table.unit_latency.shape == table.unit_energy.shape == table.memory.shape == (units, count)
    assert table.transfer_latency.shape == table.transfer_energy.shape == (len(found.tensors), count, count)
    for array in (table.unit_latency, table.unit_energy, table.transfer_latency, table.transfer_energy, table.memory):
        assert np.isfinite(array).all()
        assert (array >= 0).all()
    assert (table.launch_latency > 0).all()
    assert (table.capacity > 0).all()
    assert table.static_power > 0
    for device in range(count):
        assert not table.transfer_latency[:, device, device].any()


CONV: Final = f"""g (float[1,8,16,16] x) => (float[1,8,16,16] y)
<float[8,8,3,3] w = {{{", ".join(["0.5"] * 576)}}}> {{
  [c] t = Conv<pads=[1,1,1,1]>(x, w)
  [r] y = Relu(t)
}}"""


def test_a_fused_activation_costs_its_arithmetic_only_on_an_accelerator() -> None:
    relu = text("g (float[1,8,16,16] x) => (float[1,8,16,16] y) {\n [r] y = Relu(x)\n}")
    fused = text("g (float[1,8,16,16] x) => (float[1,8,16,16] y) {\n [a] t = Add(x, x)\n [r] y = Relu(t)\n}")
    for device in ("npu", "gpu"):
        assert fused.latency("r", device) < relu.latency("r", device) / 2
    assert fused.latency("r", "cpu") == relu.latency("r", "cpu")


def test_an_if_costs_its_longest_branch() -> None:
    body = """g (bool c, float[1,8,32,32] x) => (float[1,8,32,32] y) {
      [choice] y = If (c) <then_branch = one () => (float[1,8,32,32] a) { [e] a = Exp(x) },
                           else_branch = two () => (float[1,8,32,32] b) { [n] b = Neg(x) }>
    }"""
    exp = text("g (float[1,8,32,32] x) => (float[1,8,32,32] y) {\n [e] y = Exp(x)\n}")
    found = text(body)
    assert found.latency("choice", "cpu") == pytest.approx(exp.latency("e", "cpu"))


@pytest.mark.parametrize(("trips", "times", "assumed"), [("int64 n = {5}", 5, False), ("", 1, True)])
def test_a_loop_costs_each_of_its_iterations(trips: str, times: int, assumed: bool) -> None:
    inputs = "bool k, float[4,64] x" if trips else "int64 n, bool k, float[4,64] x"
    body = f"""g ({inputs}) => (float[4,64] y) <{trips}> {{
      [l] y = Loop ({"n, " if trips else "n, k, "}{", x" if trips else "x"}) <body =
        b (int64 i, bool go, float[4,64] v) => (bool go2, float[4,64] w) {{
          [keep] go2 = Identity(go)
          [e] w = Exp(v)
        }}>
    }}"""
    exp = text("g (float[4,64] x) => (float[4,64] y) {\n [e] y = Exp(x)\n}")
    found = text(body)
    cost = unit_terms(found.graph, found.target, ["l"], "cpu")
    assert cost.latency_us == pytest.approx(times * exp.latency("e", "cpu"), rel=0.3)
    assert cost.assumed == assumed


def test_a_float_is_converted_on_its_way_to_an_fp16_device_and_integers_are_not() -> None:
    floats = text("g (float[1,8,64,64] x) => (float[1,8,64,64] y) {\n [r] y = Relu(x)\n}")
    count = 8 * 64 * 64 * 4
    npu, cpu = 0, 2
    assert floats.table.transfer_latency[0, cpu, npu] == pytest.approx(50 + count / 102.4e3)
    assert floats.table.transfer_latency[0, cpu, 1] == 50
    integers = text("g (int32[1,8,64,64] x) => (int32[1,8,64,64] y) {\n [r] y = Neg(x)\n}")
    assert integers.table.transfer_latency[0, cpu, npu] == 50


def test_devices_that_are_not_linked_exchange_over_the_cpu(tmp_path: Path) -> None:
    file = tmp_path / "unlinked.yaml"
    file.write_text("name: unlinked\nextends: nvidia-orin-dla\nlinks: []\n", encoding="utf-8")
    table = text(CONV, str(file)).table.transfer_latency
    assert table[:, 0, 1] == pytest.approx(table[:, 0, 2] + table[:, 2, 1])


def test_memory_is_the_constants_as_wide_as_the_device_keeps_them() -> None:
    found = text(CONV)
    assert found.table.memory[found.unit("c")].tolist() == [2 * 576, 4 * 576, 4 * 576]


def test_tensors_of_other_units_are_refused() -> None:
    found = text(CONV)
    with pytest.raises(ValueError, match=r"3 tensors cross the units of the graph, but 2 are given"):
        make_costs(found.graph, found.target, units_of(found.graph), found.tensors[:2])


def test_the_terms_of_a_unit_are_those_of_the_table() -> None:
    found = text(CONV)
    cost = unit_terms(found.graph, found.target, ["c"], "gpu")
    assert cost.latency_us == found.latency("c", "gpu")
    assert any("M MAC" in term.source for term in cost.terms)
    with pytest.raises(KeyError):
        unit_terms(found.graph, found.target, ["c"], "dsp")


# --- Q/DQ models on an Orin --------------------------------------------------------------------------------------


def totals(found: Case, preferred: Mapping[str, str]) -> tuple[float, float]:
    """Latency and energy, serial, of the first allowed device of a chain for each unit."""
    problem, table = found.problem, found.table
    place = [_first(problem, allowed, preferred) for allowed in problem.allowed]
    units, cpu = np.arange(len(place)), len(problem.devices) - 1
    latency, energy = table.unit_latency[units, place].sum(), table.unit_energy[units, place].sum()
    for index, tensor in enumerate(found.tensors):
        source = cpu if tensor.producer is None else place[tensor.producer]
        for reader in {place[unit] for unit in tensor.readers} | ({cpu} if tensor.is_output else set()):
            latency += table.transfer_latency[index, source, reader]
            energy += table.transfer_energy[index, source, reader]
    for partition in phases.partition(problem, Placement(tuple(place))):
        latency += table.launch_latency[partition.device]
        energy += table.launch_energy[partition.device]
    return float(latency), float(energy)


def _first(problem: Problem, allowed: tuple[bool, ...], preferred: Mapping[str, str]) -> int:
    device = next(iter(preferred))
    while not allowed[problem.devices.index(device)]:
        device = preferred[device]
    return problem.devices.index(device)


DLA_FIRST: Final = {"npu": "cpu"}
GPU_FIRST: Final = {"gpu": "cpu"}


def test_a_mobilenet_takes_less_energy_on_the_dla() -> None:
    found = case(SAMPLES / "mobilenet_v2_int8.onnx", "nvidia-orin-dla")
    assert sum(allowed[0] for allowed in found.problem.allowed) > len(found.problem.names) * 0.9
    assert totals(found, DLA_FIRST)[1] < totals(found, GPU_FIRST)[1]


@pytest.mark.parametrize("name", ["mobilenet_v2_int8.onnx", "digits_int8.onnx"])
def test_the_units_that_the_dla_takes_cost_it_less_energy_than_the_gpu(name: str) -> None:
    found = case(SAMPLES / name, "nvidia-orin-dla")
    taken = [unit for unit, allowed in enumerate(found.problem.allowed) if allowed[0]]
    energy = found.table.unit_energy[taken].sum(axis=0)
    assert energy[0] < energy[1] < energy[2]


@pytest.mark.parametrize("name", ["mobilenet_v2_int8.onnx", "digits_int8.onnx"])
def test_a_large_batch_is_faster_on_the_gpu(name: str) -> None:
    found = case(SAMPLES / name, "nvidia-orin-dla", batch=64)
    assert totals(found, GPU_FIRST)[0] < totals(found, DLA_FIRST)[0]


def test_a_dla_takes_no_zero_points() -> None:
    found = case(SAMPLES / "mobilenet_v2_qdq.onnx", "nvidia-orin-dla")
    assert not any(allowed[0] for allowed in found.problem.allowed)


def test_a_group_taken_apart_costs_its_conversions() -> None:
    found = case(SAMPLES / "mobilenet_v2_qdq.onnx", "nvidia-orin-dla")
    unit = [node for node in found.graph if found.unit(node) == found.unit("features.14.project.conv")]
    words = [
        {term.name.split()[0] for term in unit_terms(found.graph, found.target, unit, device).terms}
        for device in ("gpu", "cpu")
    ]
    assert "DequantizeLinear" not in words[0]
    assert {"DequantizeLinear", "QuantizeLinear", "Conv"} <= words[1]
