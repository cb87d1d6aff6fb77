"""The cost table of whole models: shapes, transfers, bodies, and what must follow from the physics."""

from pathlib import Path

import numpy as np
import pytest

from dovetail.compiler.costing import make_costs
from dovetail.compiler.driver import prepare
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import units_of
from dovetail.compiler.unit_facts import crossing_tensors
from dovetail.passes import run_passes
from dovetail.passes.tagging import AnnotateUnits, AnnotateVerdicts, UnitTag
from dovetail.targets import load_target, target_names

SAMPLES = Path(__file__).parents[2] / "sample_models"


@pytest.mark.parametrize("name", target_names())
def test_costs_are_finite_and_not_negative_on_every_target(name: str) -> None:
    graph = prepare(SAMPLES / "ssd_detector.onnx", CompileOptions())
    target = load_target(name)
    run_passes(graph, (AnnotateUnits(), AnnotateVerdicts(target)))
    units = units_of(graph)
    tensors = crossing_tensors(graph, {node: graph.tag(node, UnitTag).index for node in graph})
    table = make_costs(graph, target, units, tensors)
    count = len(target.devices)
    assert table.unit_latency.shape == table.unit_energy.shape == table.memory.shape == (len(units), count)
    assert table.transfer_latency.shape == table.transfer_energy.shape == (len(tensors), count, count)
    for array in (table.unit_latency, table.unit_energy, table.transfer_latency, table.transfer_energy, table.memory):
        assert np.isfinite(array).all()
        assert (array >= 0).all()
    assert (table.launch_latency > 0).all()
    assert (table.capacity > 0).all()
    for device in range(count):
        assert not table.transfer_latency[:, device, device].any()
