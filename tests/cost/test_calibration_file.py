"""Cost files: written and read alike, applied to their own target only, refused in one line where they are wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.cost import coefficients_of
from dovetail.cost.costs_file import CostsPart, ErrorsPart, apply_costs, base_digest, read_costs, write_costs
from dovetail.plan.errors import TargetError
from dovetail.targets import load_target

TARGET = load_target("arm-ethos-u55-u65:u55-256")
ERRORS = ErrorsPart(samples=30, median_relative=0.12, rank_correlation=0.98)


def costs(**changes: Any) -> CostsPart:
    fields: dict[str, Any] = {
        "costs": 1,
        "target": TARGET.ref,
        "device": "npu",
        "source": "vela",
        "tool": "ethos-u-vela 5.2.0, ethos-u55-256",
        "base": base_digest(TARGET.device("npu")),
        "figures": {"efficiency_dense": 0.8, "op_overhead_us": 0.3, "vector_serial": 0.0},
        **dict.fromkeys(("fitted", "held_out", "uncalibrated"), ERRORS),
    }
    return CostsPart(**{**fields, **changes})


def written(folder: Path, **changes: Any) -> Path:
    """A file with fields that `CostsPart` itself would not take."""
    path = folder / "costs.json"
    path.write_text(json.dumps({**costs().model_dump(), **changes}), encoding="utf-8")
    return path


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    write_costs(costs(), path)
    assert read_costs(path) == costs()
    assert json.loads(path.read_text(encoding="utf-8"))["figures"]["efficiency_dense"] == 0.8


def test_fitted_figures_take_the_place_of_the_targets_and_say_where_they_come_from() -> None:
    before, after = coefficients_of(TARGET), coefficients_of(apply_costs(TARGET, costs()))
    npu = after.device("npu")
    assert npu.efficiency["dense"].value == 0.8
    assert npu.overhead_us.value == 0.3
    assert npu.vector_serial.value == 0
    assert npu.costs == "vendor estimate"
    assert npu.efficiency["dense"].source == (
        "vendor estimate, ethos-u-vela 5.2.0, ethos-u55-256, fitted; 12% off on 30 others"
    )
    assert npu.efficiency["depthwise"] == before.device("npu").efficiency["depthwise"]
    assert npu.peaks == before.device("npu").peaks
    assert after.device("cpu").costs == "modelled"


def test_a_measurement_is_called_one() -> None:
    base = base_digest(TARGET.device("cpu"))
    measured = apply_costs(TARGET, costs(device="cpu", source="host", base=base))
    assert measured.device("cpu").costs == "measured"
    assert measured.device("npu").costs == "modelled"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "arm-ethos-u55-u65:u55-128"}, "the target is arm-ethos-u55-u65:u55-256; calibrate that"),
        ({"device": "gpu"}, "the target has no device 'gpu'"),
        ({"base": "0" * 16}, "the figures of 'npu' have changed since they were fitted; calibrate again"),
    ],
)
def test_costs_of_something_else_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(TargetError, match=f"^costs for {changes.get('target', TARGET.ref)}: {words}"):
        apply_costs(TARGET, costs(**changes))


def test_costs_of_one_device_are_given_once() -> None:
    with pytest.raises(TargetError, match="those of 'npu' are given twice"):
        apply_costs(apply_costs(TARGET, costs()), costs())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"figures": {}}, "it holds no figures"),
        ({"figures": {"speed": 1.0}}, "unknown figure 'speed'; known are efficiency_dense, "),
        ({"figures": {"efficiency_dense": -0.1}}, "efficiency_dense must be finite and above zero, got -0.1"),
        ({"figures": {"efficiency_dense": 0.0}}, "efficiency_dense must be finite and above zero, got 0.0"),
        ({"figures": {"op_overhead_us": float("nan")}}, "op_overhead_us must be finite and above zero, got nan"),
        ({"figures": {"sram_gbps": float("inf")}}, "sram_gbps must be finite and above zero, got inf"),
        ({"figures": {"on_chip_constants": 2.0}}, r"on_chip_constants must be in \[0, 1\], got 2.0"),
        ({"costs": 2}, "costs: Input should be 1"),
        ({"source": "a friend"}, "source: Input should be 'host', 'vela' or 'rknn'"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=words) as refused:
        read_costs(written(tmp_path, **changes))
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("give a file of 'dovetail calibrate'")


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.json"
    text.write_text("not JSON", encoding="utf-8")
    with pytest.raises(TargetError, match="Invalid JSON"):
        read_costs(text)
    with pytest.raises(TargetError, match=r"costs .*missing\.json"):
        read_costs(tmp_path / "missing.json")
    with pytest.raises(TargetError, match="its folder does not exist"):
        write_costs(costs(), tmp_path / "missing" / "costs.json")
