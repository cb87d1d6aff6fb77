"""A plan as a graph of Model Explorer: its own package reads it, and every table fits the graph."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dovetail.compiler import CompileOptions, compile_model
from dovetail.lowering.joined import JoinedGraph, JoinedNode, describe_graph, join_partitions
from dovetail.plan import Plan, TensorSpec, read_plan
from dovetail.report.model_explorer import render_model_explorer, render_overlays

SAMPLE_MODELS = sorted((Path(__file__).parents[2] / "sample_models").glob("*.onnx"))
EXPLORER = os.environ.get("DOVETAIL_MODEL_EXPLORER", "")

FEATURES = TensorSpec("features", "float16", (1, 8, 16, 16))
GRAPH = JoinedGraph(
    nodes=(
        JoinedNode("conv_1", "Conv", "000-npu", ("image", "weight", ""), ("c1",)),
        JoinedNode("relu_1", "Relu", "000-npu", ("c1",), ("features",)),
        JoinedNode("conv_2", "Conv", "001-cpu", ("features", "weight"), ("c2", "")),
        JoinedNode("loop", "Loop", "001-cpu", ("limit", "c2", "features"), ("boxes",)),
    ),
    inputs=("image", "limit"),
    outputs=("boxes",),
    constants=frozenset({"weight"}),
    tensors={
        "image": TensorSpec("image", "float32", (1, 3, 32, 32)),
        "weight": TensorSpec("weight", "float32", (8, 3, 3, 3)),
        "c1": FEATURES,
        "features": FEATURES,
        "limit": TensorSpec("limit", "int64", ()),
        "boxes": TensorSpec("boxes", "float32", ("count", 4)),
    },
)

LOAD = """
import dataclasses, json, sys, types, typing
from model_explorer import graph_builder, node_data_builder
from model_explorer.utils import convert_adapter_response

def build(kind, value):
    # strictly: a field that the package does not have is a TypeError, one of another type an AssertionError
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: build(hints[name], item) for name, item in value.items()})
    if origin is list:
        assert isinstance(value, list), value
        return [build(args[0], item) for item in value]
    if origin is dict:
        assert isinstance(value, dict), value
        return {build(args[0], key): build(args[1], item) for key, item in value.items()}
    if origin is typing.Literal:
        assert value in args, (value, args)
        return value
    if origin in (typing.Union, types.UnionType):
        for each in args:
            try:
                return build(each, value)
            except (AssertionError, AttributeError, KeyError, TypeError):
                continue
        raise AssertionError((kind, value))
    assert isinstance(value, kind), (kind, value)
    return value

graph_file, *overlays = sys.argv[1:]
document = json.load(open(graph_file))
collection = build(graph_builder.GraphCollection, document)
converted = convert_adapter_response({"graphCollections": [collection]})["graphCollections"][0]
(graph,) = converted["graphs"]
ids = {node["id"] for node in graph["nodes"]}
loaded = {}
for file in overlays:
    (key, table), = json.load(open(file)).items()
    assert key == graph["id"], (key, graph["id"])
    results = {name: node_data_builder.NodeDataResult(**result) for name, result in table.pop("results").items()}
    gradient = [node_data_builder.GradientItem(**item) for item in table.pop("gradient", [])]
    data = node_data_builder.GraphNodeData(results=results, gradient=gradient, **table)
    json.loads(node_data_builder.ModelNodeData({key: data}).to_json_string())
    loaded[table["name"]] = [len(results), sorted(set(results) - ids)]
edges = [edge["sourceNodeId"] for node in graph["nodes"] for edge in node["incomingEdges"]]
print(json.dumps({"nodes": len(ids), "edges": len(edges), "loose": sorted(set(edges) - ids), "overlays": loaded}))
"""


def drawn(plan: Plan, graph: JoinedGraph = GRAPH) -> dict[str, Any]:
    document = json.loads(render_model_explorer(plan, graph))
    (only,) = document["graphs"]
    return dict(only)


def nodes(graph: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {node["id"]: node for node in graph["nodes"]}
    assert len(found) == len(graph["nodes"])
    return found


def sources(node: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(e["sourceNodeId"], e["sourceNodeOutputId"], e["targetNodeInputId"]) for e in node["incomingEdges"]]


def attributes(node: Mapping[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in node["attrs"]}


def test_partitions_and_units_of_several_operators_are_layers(plan: Plan) -> None:
    spaces = {name: node["namespace"] for name, node in nodes(drawn(plan)).items()}

    assert spaces == {
        "input image": "model inputs",
        "input limit": "model inputs",
        "conv_1": "000-npu/unit 0",
        "relu_1": "000-npu/unit 0",
        "conv_2": "001-cpu",
        "loop": "001-cpu",
        "output boxes": "model outputs",
    }


def test_edges_bring_every_tensor_that_is_no_constant(plan: Plan) -> None:
    found = nodes(drawn(plan))

    assert sources(found["conv_1"]) == [("input image", "0", "0")]
    assert sources(found["loop"]) == [("input limit", "0", "0"), ("conv_2", "0", "1"), ("relu_1", "0", "2")]
    assert sources(found["output boxes"]) == [("loop", "0", "0")]


def test_nodes_tell_reason_origins_verdicts_and_constants(plan: Plan) -> None:
    found = nodes(drawn(plan))

    assert attributes(found["conv_2"])["reason"] == "'conv_2' (Conv): strides must be in [1, 3], got (4, 4)"
    assert attributes(found["conv_2"])["verdict on npu"] == "unsupported"
    assert attributes(found["conv_1"])["made from"] == "conv_1, bn_1"
    assert attributes(found["conv_1"])["constant weight"] == "float32 8x3x3x3"


def test_transfers_are_an_overlay_of_edges(plan: Plan) -> None:
    (overlays,) = drawn(plan)["tasksData"]["edgeOverlaysDataListLeftPane"]

    assert {each["name"]: each["edges"] for each in overlays["overlays"]} == {
        "host to npu": [{"sourceNodeId": "input image", "targetNodeId": "conv_1", "label": "12.3 kB"}],
        "npu to cpu": [{"sourceNodeId": "relu_1", "targetNodeId": "conv_2", "label": "4.1 kB"}],
    }


def test_an_operator_with_the_name_of_an_end_keeps_it(plan: Plan) -> None:
    node = JoinedNode("input image", "Neg", "000-npu", ("image",), ("boxes",))
    found = nodes(drawn(plan, JoinedGraph((node,), ("image",), ("boxes",), frozenset(), GRAPH.tensors)))

    assert sources(found["input image"]) == [("input image'", "0", "0")]


def test_tables_have_devices_and_bytes_of_known_size(plan: Plan) -> None:
    tables = {name: json.loads(text)["face.onnx"] for name, text in render_overlays(plan, GRAPH).items()}

    assert {name: result["value"] for name, result in tables["device"]["results"].items()} == {
        **dict.fromkeys(("conv_1", "relu_1"), "npu"),
        **dict.fromkeys(("conv_2", "loop"), "cpu"),
    }
    weight = 4 * 8 * 3 * 3 * 3
    assert {name: result["value"] for name, result in tables["bytes"]["results"].items()} == {
        "conv_1": 12288 + weight + 4096,
        "relu_1": 4096 + 4096,
    }
    assert tables["time"]["results"] == {}


@pytest.mark.skipif(
    not EXPLORER,
    reason="DOVETAIL_MODEL_EXPLORER names no Python that has the package ai-edge-model-explorer",
)
@pytest.mark.parametrize("model", SAMPLE_MODELS, ids=lambda model: model.stem)
def test_model_explorers_own_classes_take_all_of_it(model: Path, tmp_path: Path) -> None:
    options = CompileOptions(solver="greedy")
    folder = compile_model(model, "qualcomm-hexagon-htp", options).save(tmp_path / "sample.plan")
    plan = read_plan(folder)
    graph = describe_graph(join_partitions(plan, folder))
    files = {"graph": render_model_explorer(plan, graph), **render_overlays(plan, graph)}
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    paths = [str(tmp_path / f"{name}.json") for name in files]
    done = subprocess.run([EXPLORER, "-c", LOAD, *paths], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    ends = len(plan.inputs) + len(plan.outputs)
    assert (found["nodes"], found["loose"]) == (len(graph.nodes) + ends, [])
    assert found["edges"] >= len(graph.nodes)
    overlays = found["overlays"]
    assert [unmatched for _, unmatched in overlays.values()] == [[], [], []]
    assert overlays["device"][0] == len(graph.nodes)
    assert overlays["time, us (modelled)"][0] > 0
