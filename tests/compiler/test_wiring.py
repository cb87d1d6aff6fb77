"""A compilation as plain data is what its written plan is read back as."""

from pathlib import Path

import pytest

from dovetail.compiler import compile_model
from dovetail.compiler.wiring import wire
from dovetail.lowering.joined import describe_graph, join_partitions
from dovetail.plan import read_plan

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("digits_qdq", "arm-ethos-u85"),
        ("ssd_detector", "qualcomm-hexagon-htp"),
        ("transformer", "huawei-ascend-310"),
        ("control_flow", "qualcomm-hexagon-htp"),
    ],
)
def test_a_compilation_is_wired_as_its_plan_on_disk(model: str, target: str, tmp_path: Path) -> None:
    compilation = compile_model(SAMPLES / f"{model}.onnx", target)
    folder = compilation.save(tmp_path / "m.plan")
    plan = read_plan(folder)
    made, read = wire(compilation), describe_graph(join_partitions(plan, folder))
    assert {node.name: node for node in made.nodes} == {node.name: node for node in read.nodes}
    assert (made.inputs, made.outputs) == (read.inputs, read.outputs)
    assert made.constants == read.constants
    for name, spec in read.tensors.items():
        assert made.tensors[name] == spec
