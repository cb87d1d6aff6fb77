"""The partitions of a plan, joined again: the graph that was cut, with what the plan says at every node."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from dovetail.compiler import CompileOptions, compile_model
from dovetail.lowering.annotated import write_annotated
from dovetail.lowering.joined import JoinedGraph, describe_graph, join_partitions
from dovetail.plan import Plan, PlanError, TensorSpec, read_plan
from dovetail.plan.random_feeds import random_feeds
from dovetail.runtime import Executor

SAMPLES = Path(__file__).parents[2] / "sample_models"
# NPUs that nothing here runs, so that every partition runs on the CPU and no device rounds
CUT = (("digits_qdq", "arm-ethos-u55-u65"), ("control_flow", "ti-tidl"), ("ssd_detector", "mediatek-mdla"))


@pytest.fixture(scope="module", params=CUT, ids=lambda each: each[0])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan of a sample model, cut by operator support alone."""
    model, target = request.param
    place = tmp_path_factory.mktemp("plans") / "sample model.plan"
    return compile_model(SAMPLES / f"{model}.onnx", target, CompileOptions(solver="greedy")).save(place)


def joined(folder: Path) -> tuple[Plan, JoinedGraph]:
    plan = read_plan(folder)
    return plan, describe_graph(join_partitions(plan, folder))


def properties(node: onnx.NodeProto) -> dict[str, str]:
    return {entry.key.removeprefix("dovetail."): entry.value for entry in node.metadata_props}


def test_every_operator_is_there_once_in_its_partition(folder: Path) -> None:
    plan, graph = joined(folder)

    top = {operator.name: operator.partition for operator in plan.operators if not operator.inside}
    assert {node.name: node.partition for node in graph.nodes} == top
    assert len(graph.nodes) == len(top)


def test_nodes_read_only_what_is_made_before_them(folder: Path) -> None:
    _, graph = joined(folder)

    known = {*graph.inputs, *graph.constants, ""}
    for node in graph.nodes:
        assert set(node.inputs) <= known, node.name
        known.update(node.outputs)
    assert set(graph.outputs) <= known


def test_what_crosses_partitions_has_the_type_of_the_plan(folder: Path) -> None:
    plan, graph = joined(folder)

    assert {spec.name: graph.tensors[spec.name] for spec in plan.slots} == {spec.name: spec for spec in plan.slots}


def test_the_annotated_model_is_valid_and_computes_what_the_plan_does(folder: Path, tmp_path: Path) -> None:
    plan = read_plan(folder)
    path = tmp_path / "annotated.onnx"
    written = write_annotated(plan, folder, path)

    assert sorted(tmp_path.iterdir()) == sorted(written)
    onnx.checker.check_model(str(path), full_check=True)
    feeds = random_feeds(plan.inputs, 0)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    got = onnxruntime.InferenceSession(str(path), options).run([spec.name for spec in plan.outputs], feeds)
    with Executor(folder, optimize=False) as executor:
        assert set(executor.placement.values()) == {"cpu"}
        wanted = executor.run(feeds)
    for mine, spec in zip(got, plan.outputs, strict=True):
        np.testing.assert_array_equal(mine, wanted[spec.name])


def test_nodes_say_where_they_run_and_why(folder: Path, tmp_path: Path) -> None:
    plan = read_plan(folder)
    write_annotated(plan, folder, tmp_path / "annotated.onnx")
    nodes = {node.name: node for node in onnx.load(tmp_path / "annotated.onnx").graph.node}

    for operator in plan.operators:
        if operator.inside:
            continue
        node = nodes[operator.name]
        said = properties(node)
        assert (said["device"], said["partition"]) == (operator.device, operator.partition)
        assert said.get("reason", "") == operator.reason
        assert said.get("origins", "") == ", ".join(operator.origins)
        assert ("latency_us" in said) == bool(operator.cost)
        assert node.doc_string.endswith(operator.reason or f"in partition {operator.partition}")


def test_a_body_that_reads_from_outside_gives_an_edge(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> m (float[2] x, bool on) => (float[2] y) {
        [relu] a = Relu(x)
        [choose] y = If(on) <
            then_branch = yes () => (float[2] u) { u = Neg(a) },
            else_branch = no () => (float[2] v) { b = Abs(x) v = Add(b, b) }>
    }"""
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    folder = compile_model(tmp_path / "m.onnx", "cpu-only").save(tmp_path / "m.plan")
    _, graph = joined(folder)

    (choose,) = (node for node in graph.nodes if node.op_type == "If")
    assert choose.inputs == ("on", "a", "x")


def test_an_input_that_nothing_reads_is_still_one(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["": 17]> m (string[2, n] unread, float[2] x) => (float[2] y) { y = Neg(x) }'
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    folder = compile_model(tmp_path / "m.onnx", "cpu-only").save(tmp_path / "m.plan")
    _, graph = joined(folder)

    assert (graph.inputs, graph.outputs) == (("unread", "x"), ("y",))
    assert graph.tensors["unread"] == TensorSpec("unread", "string", (2, "n"))


def test_a_partition_that_is_no_model_is_named(folder: Path) -> None:
    plan = read_plan(folder)
    file = folder / plan.partitions[0].file
    kept = file.read_bytes()
    try:
        file.write_bytes(b"\xff\xff\xff\xff")
        with pytest.raises(PlanError, match=rf"partition '{plan.partitions[0].id}'.*is not an ONNX model; compile"):
            join_partitions(plan, folder)
    finally:
        file.write_bytes(kept)
