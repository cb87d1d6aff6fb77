"""`calibrate`, and what `--costs` does to the commands that compile."""

import json
import os
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx.parser
import pytest
from click.testing import Result
from onnx import TensorProto, helper, numpy_helper
from tests.cli.calling import dovetail

from dovetail.lowering.rknn import VARIABLE as RKNN
from dovetail.lowering.vela import find_vela

WIDTHS: Final = (16, 24, 32, 48, 64, 96, 128, 160)
needs_vela = pytest.mark.skipif(find_vela()[0] is None, reason="needs Vela, on PATH or named by DOVETAIL_VELA")
needs_rknn = pytest.mark.skipif(RKNN not in os.environ, reason=f"needs RKNN-Toolkit2, whose python {RKNN} names")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convolutions and matrix products of many widths, which do not depend on each other; float."""
    nodes, inputs, outputs, constants = [], [], [], []

    def layer(
        op_type: str, name: str, shape: tuple[int, ...], weights: tuple[int, ...], result: tuple[int, ...]
    ) -> None:
        values = np.random.default_rng(0).normal(0, 0.1, weights).astype(np.float32)
        constants.append(numpy_helper.from_array(values, f"{name}_w"))
        inputs.append(helper.make_tensor_value_info(f"{name}_x", TensorProto.FLOAT, shape))
        outputs.append(helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, result))
        nodes.append(helper.make_node(op_type, [f"{name}_x", f"{name}_w"], [f"{name}_y"], name=name))

    for width in WIDTHS:
        layer("Conv", f"conv{width}", (1, width, 20, 20), (width, width, 3, 3), (1, width, 18, 18))
        layer("Conv", f"point{width}", (1, width, 20, 20), (2 * width, width, 1, 1), (1, 2 * width, 20, 20))
        layer("MatMul", f"product{width}", (64, width), (width, 96), (64, 96))
    graph = helper.make_graph(nodes, "layers", inputs, outputs, constants)
    path = tmp_path_factory.mktemp("models") / "layers.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def host_costs(layers: Path) -> tuple[Path, Result]:
    path = layers.with_name("costs.json")
    return path, dovetail("calibrate", layers, "-t", "cpu-only", "--source", "host", "-o", path)


def test_this_machines_cpu_is_measured(host_costs: tuple[Path, Result]) -> None:
    path, result = host_costs
    assert result.exit_code == 0, result.output
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["source"], written["device"]) == ("host", "cpu")
    assert written["tool"].startswith("onnxruntime ")
    assert written["fitted"]["samples"] + written["held_out"]["samples"] == 3 * len(WIDTHS)
    assert "efficiency_dense" in written["figures"]
    for line in ("fitted:", "held out:", "uncalibrated:", "written to"):
        assert line in result.output


def test_plans_say_that_their_figures_are_measured(layers: Path, host_costs: tuple[Path, Result]) -> None:
    path, _ = host_costs
    shown = dovetail("inspect", layers, "-t", "cpu-only", "--costs", path, "--format", "json")
    plan = json.loads(shown.output)
    assert plan["predicted"]["source"] == "measured"
    assert {each["source"] for each in plan["costs"]} == {"measured"}
    told = dovetail("explain", layers, "conv64", "-t", "cpu-only", "--costs", path)
    assert "(times: measured, energies: modelled)" in told.output
    plain = json.loads(dovetail("inspect", layers, "-t", "cpu-only", "--format", "json").output)
    assert plain["predicted"]["source"] == "modelled"
    assert plain["predicted"]["latency_ms"] != plan["predicted"]["latency_ms"]


def test_figures_are_as_good_as_those_of_the_weakest_device_in_use(layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    timed = dovetail("calibrate", layers, "-t", "qualcomm-hexagon-htp", "--source", "host", "-o", path)
    assert timed.exit_code == 0, timed.output
    arguments = ("inspect", layers, "-t", "qualcomm-hexagon-htp", "--costs", path, "--format", "json", "--place")
    assert json.loads(dovetail(*arguments, "*=cpu").output)["predicted"]["source"] == "measured"
    on_npu = json.loads(dovetail(*arguments, "*=npu").output)
    assert on_npu["predicted"]["source"] == "modelled"
    assert {each["source"] for each in on_npu["costs"]} == {"modelled", "measured"}


def test_a_plan_folder_takes_no_costs(layers: Path, host_costs: tuple[Path, Result], tmp_path: Path) -> None:
    folder = tmp_path / "layers.plan"
    compiled = dovetail("compile", layers, "-t", "cpu-only", "--costs", host_costs[0], "-o", folder)
    assert compiled.exit_code == 0, compiled.output
    result = dovetail("inspect", folder, "--costs", host_costs[0])
    assert result.exit_code == 2
    assert "leave out --costs" in result.output


def test_costs_of_another_target_are_refused_in_one_line(layers: Path, host_costs: tuple[Path, Result]) -> None:
    result = dovetail("compile", layers, "-t", "qualcomm-hexagon-htp", "--costs", host_costs[0])
    assert result.exit_code == 2
    assert result.output.startswith("error: costs for cpu-only")
    assert len(result.output.splitlines()) == 1


def test_too_few_operators_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "small.onnx"
    onnx.save(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["": 17]> g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }'
        ),
        model,
    )
    result = dovetail("calibrate", model, "-t", "cpu-only", "-o", tmp_path / "costs.json")
    assert result.exit_code == 2
    assert "timed 1 different units, at least 16 are needed; give more models" in result.output


def test_a_source_that_is_not_there_or_does_not_serve_the_target_is_refused(
    layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RKNN, raising=False)
    absent = dovetail("calibrate", layers, "-t", "rockchip-rk3588", "-o", tmp_path / "costs.json")
    assert absent.exit_code == 2
    assert f"set {RKNN} to its python" in absent.output
    other = dovetail("calibrate", layers, "-t", "cpu-only", "--source", "vela", "-o", tmp_path / "costs.json")
    assert other.exit_code == 2
    assert "vela has no device of it; use --source host" in other.output
    nowhere = dovetail("calibrate", layers, "-t", "cpu-only", "-o", tmp_path / "missing" / "costs.json")
    assert nowhere.exit_code == 2
    assert "its folder does not exist" in nowhere.output


@needs_rknn
def test_rockchips_table_of_layers_is_read(layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    result = dovetail("calibrate", layers, "-t", "rockchip-rk3588", "-o", path)
    assert result.exit_code == 0, result.output
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["source"] == "rknn"
    assert written["held_out"]["median_relative"] < written["uncalibrated"]["median_relative"]
    arguments = ("inspect", layers, "-t", "rockchip-rk3588", "--costs", path, "--format", "json", "--place", "*=npu")
    assert json.loads(dovetail(*arguments).output)["predicted"]["source"] == "vendor estimate"


@needs_vela
def test_velas_cycles_are_read(tmp_path: Path) -> None:
    path, model = tmp_path / "costs.json", Path(__file__).parents[2] / "sample_models" / "mobilenet_v2_int8.onnx"
    result = dovetail("calibrate", model, "-t", "arm-ethos-u55-u65:u55-128", "-o", path)
    assert result.exit_code == 0, result.output
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["source"], written["device"]) == ("vela", "npu")
    assert written["held_out"]["median_relative"] < written["uncalibrated"]["median_relative"]
