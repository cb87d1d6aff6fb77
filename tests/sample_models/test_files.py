"""What must hold for every committed sample model."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

FOLDER = Path(__file__).parents[2] / "sample_models"
FILES = sorted(FOLDER.glob("*.onnx"))
NAMES = {
    "control_flow",
    "digits_fp32",
    "digits_int8",
    "digits_qdq",
    "mobilenet_v2",
    "mobilenet_v2_int8",
    "mobilenet_v2_qdq",
    "npu_whole",
    "ssd_detector",
    "transformer",
}
every_model = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_the_models_are_those_promised_and_small() -> None:
    assert {path.stem for path in FILES} == NAMES
    assert sum(path.stat().st_size for path in FILES) < 6_000_000


@every_model
def test_valid_and_loadable_by_old_runtimes(path: Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert {entry.key: entry.value for entry in model.metadata_props}["licence"] == "Apache-2.0"


@every_model
def test_every_node_has_a_name_of_its_own(path: Path) -> None:
    names = [node.name for graph in _graphs(onnx.load(path).graph) for node in graph.node]
    assert all(names)
    assert len(names) == len(set(names))


@every_model
def test_shapes_are_static_up_to_what_depends_on_data(path: Path) -> None:
    model = onnx.load(path)
    static = {value.name for value in (*model.graph.value_info, *model.graph.output) if _is_static(value)}
    dynamic = [node.name for node in model.graph.node if not set(node.output) <= static]
    if path.stem == "ssd_detector":
        assert dynamic[0] == "nms"
        assert all(name.startswith(("nms", "detections.")) for name in dynamic)
    else:
        assert dynamic == []


@every_model
def test_runs_and_depends_on_its_input(path: Path) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    generator = np.random.default_rng(0)
    runs = [
        session.run(None, {source.name: generator.uniform(-2, 2, source.shape).astype(np.float32)}) for _ in range(2)
    ]
    assert all(np.isfinite(output).all() for run in runs for output in run)
    assert not np.array_equal(runs[0][0], runs[1][0])


@every_model
def test_the_readme_tells_the_truth(path: Path) -> None:
    row = re.search(rf"^\| `{path.name}` \| (\d+) \| (\d+) \|(.*)$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert row is not None
    model = onnx.load(path)
    assert int(row[1]) == round(path.stat().st_size / 1000)
    assert int(row[2]) == len(model.graph.node)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["weights"].split(",")[0] in row[3]
    assert metadata.get("accuracy", "") in row[3]


def _is_static(value: onnx.ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """The graph and all its subgraphs."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(found for child in inner for found in _graphs(child))]
