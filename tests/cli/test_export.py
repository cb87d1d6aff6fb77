"""`export`, and `run --trace`: files for other programs."""

import json
from pathlib import Path

import onnx
import pytest
from tests.cli.calling import dovetail, error_of

from dovetail.plan import read_plan

SAMPLE_MODELS = sorted((Path(__file__).parents[2] / "sample_models").glob("*.onnx"))
TABLES = ("device", "time", "bytes")


def test_model_explorer_gets_a_graph_and_three_tables(tiny_plan: Path, tmp_path: Path) -> None:
    result = dovetail("export", tiny_plan, "--model-explorer", tmp_path / "graph.json")

    names = ["graph.json", "graph.device.json", "graph.time.json", "graph.bytes.json"]
    assert result.stdout.splitlines() == [f"written to {tmp_path / name}" for name in names]
    (graph,) = json.loads((tmp_path / "graph.json").read_text())["graphs"]
    spaces = {node["id"]: node["namespace"] for node in graph["nodes"] if not node["namespace"].startswith("model ")}
    assert {name: space.partition("/")[0] for name, space in spaces.items()} == {
        "relu": "000-npu",
        "scale": "001-cpu",
        "compare": "001-cpu",
    }
    devices = json.loads((tmp_path / "graph.device.json").read_text())[graph["id"]]["results"]
    assert devices.keys() == spaces.keys()


def test_netron_gets_a_model_with_the_names_of_the_users(tiny_plan: Path, tiny_model: Path, tmp_path: Path) -> None:
    result = dovetail("export", tiny_plan, "--netron", tmp_path / "seen.onnx")

    assert result.stdout == f"written to {tmp_path / 'seen.onnx'}\n"
    seen, model = onnx.load(tmp_path / "seen.onnx"), onnx.load(tiny_model)
    assert [node.name for node in seen.graph.node] == [node.name for node in model.graph.node]
    reason = read_plan(tiny_plan).operators[1].reason
    assert seen.graph.node[1].doc_string == f"on cpu, in partition 001-cpu: {reason}"


@pytest.mark.parametrize("model", SAMPLE_MODELS, ids=lambda model: model.stem)
def test_every_operator_of_a_sample_is_in_all_files(model: Path, tmp_path: Path) -> None:
    plan = tmp_path / "sample.plan"
    dovetail("compile", model, "-t", "qualcomm-hexagon-htp", "--solver", "greedy", "-o", plan)

    result = dovetail("export", plan, "--model-explorer", tmp_path / "g.json", "--netron", tmp_path / "seen.onnx")

    assert result.exit_code == 0
    wanted = {operator.name: operator.device for operator in read_plan(plan).operators if not operator.inside}
    (graph,) = json.loads((tmp_path / "g.json").read_text())["graphs"]
    names = {node["id"] for node in graph["nodes"]}
    tables = [json.loads((tmp_path / f"g.{each}.json").read_text())[graph["id"]]["results"] for each in TABLES]
    assert all(table.keys() <= names for table in tables)
    assert {name: entry["value"] for name, entry in tables[0].items()} == wanted
    seen = onnx.load(tmp_path / "seen.onnx", load_external_data=False).graph.node
    facts = {node.name: {entry.key: entry.value for entry in node.metadata_props} for node in seen}
    assert {name: entries["dovetail.device"] for name, entries in facts.items()} == wanted


def test_nothing_asked_for_is_an_error(tiny_plan: Path) -> None:
    assert "give --model-explorer FILE.json, --netron FILE.onnx, or both" in error_of(dovetail("export", tiny_plan))


@pytest.mark.parametrize("option", ["--model-explorer", "--netron"])
def test_a_place_that_can_not_be_written_is_said(tiny_plan: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "taken").mkdir()

    assert "its folder does not exist" in error_of(dovetail("export", tiny_plan, option, tmp_path / "none/f.json"))
    assert "is a folder; give a file's name" in error_of(dovetail("export", tiny_plan, option, tmp_path / "taken"))


def test_a_model_is_no_plan(tiny_model: Path, tmp_path: Path) -> None:
    line = error_of(dovetail("export", tiny_model, "--netron", tmp_path / "seen.onnx"))

    assert "is not a plan folder" in line


class TestTrace:
    def test_every_run_is_in_it(self, tiny_plan: Path, tmp_path: Path) -> None:
        trace = tmp_path / "trace.json"
        result = dovetail("run", tiny_plan, "--random", 0, "--emulate", "--repeat", 2, "--trace", trace)

        assert result.exit_code == 0
        assert f"trace written to {trace}" in result.stdout
        events = json.loads(trace.read_text())["traceEvents"]
        names = [event["name"] for event in events if event["ph"] == "X"]
        assert names == ["run 0", "000-npu", "001-cpu", "run 1", "000-npu", "001-cpu", "run 2", "000-npu", "001-cpu"]
        assert [event["name"] for event in events if event["ph"] == "s"] == ["hidden"] * 3

    def test_slices_lie_within_their_runs(self, tiny_plan: Path, tmp_path: Path) -> None:
        dovetail("run", tiny_plan, "--random", 0, "--repeat", 1, "--trace", tmp_path / "trace.json")

        events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
        spans = [(event["ts"], event["ts"] + event["dur"]) for event in events if event["ph"] == "X"]
        for run, head, tail in (spans[:3], spans[3:]):
            assert run[0] <= head[0] <= head[1] <= tail[0] <= tail[1] <= run[1]

    def test_a_folder_that_is_not_there_is_said_before_the_run(self, tiny_plan: Path, tmp_path: Path) -> None:
        line = error_of(dovetail("run", tiny_plan, "--random", 0, "--trace", tmp_path / "none/trace.json"))

        assert "--trace" in line
        assert "its folder does not exist; make it or choose another" in line
