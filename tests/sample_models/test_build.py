"""The scripts still give the committed files, and the same bytes each time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

FOLDER = Path(__file__).parents[2] / "sample_models"
RANDOM = ("control_flow", "mobilenet_v2", "npu_whole", "ssd_detector", "transformer")
QUANTIZED = ("digits_int8", "digits_qdq", "mobilenet_v2_int8", "mobilenet_v2_qdq")
INPUTS = ("inputs/digit.npy", "inputs/digit.json")


def _build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "build.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything rebuilt that needs no training."""
    folder = tmp_path_factory.mktemp("rebuilt")
    done = _build("--out", folder, *RANDOM, *QUANTIZED, *INPUTS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", RANDOM)
def test_random_models_come_out_as_committed(rebuilt: Path, name: str) -> None:
    old, new = (onnx.load(folder / f"{name}.onnx") for folder in (FOLDER, rebuilt))
    for model in (old, new):
        del model.graph.value_info[:]  # how much of it there is depends on onnx's version
    assert old == new


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_models_come_out_as_committed(rebuilt: Path, name: str) -> None:
    """Equal up to the last bits of the ranges, which differ from CPU to CPU."""
    old, new = (onnx.load(folder / f"{name}.onnx").graph for folder in (FOLDER, rebuilt))
    assert list(old.node) == list(new.node)
    for before, after in zip(old.initializer, new.initializer, strict=True):
        assert before.name == after.name
        values = [numpy_helper.to_array(tensor) for tensor in (before, after)]
        step = 0 if values[0].dtype == np.float32 else 1
        np.testing.assert_allclose(values[0].astype(float), values[1].astype(float), rtol=1e-4, atol=step)


@pytest.mark.parametrize("file", INPUTS)
def test_inputs_come_out_as_committed(rebuilt: Path, file: str) -> None:
    assert (rebuilt / file).read_bytes() == (FOLDER / file).read_bytes()


def test_a_second_build_gives_the_same_bytes(rebuilt: Path, tmp_path: Path) -> None:
    assert _build("--out", tmp_path, *QUANTIZED, "npu_whole").returncode == 0
    for name in (*QUANTIZED, "npu_whole"):
        assert (tmp_path / f"{name}.onnx").read_bytes() == (rebuilt / f"{name}.onnx").read_bytes()


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    done = _build("--out", tmp_path, "npu_whole", "resnet")
    assert done.returncode == 2
    assert "unknown: resnet; known: digits_fp32.onnx," in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_training_is_deterministic_and_reaches_the_stated_accuracy(tmp_path: Path) -> None:
    for run in ("first", "second"):
        done = _build("--out", tmp_path / run, "digits_fp32")
        assert done.returncode == 0, done.stderr
    files = [tmp_path / run / "digits_fp32.onnx" for run in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()
    stated, reached = (_accuracy(path) for path in (FOLDER / "digits_fp32.onnx", files[0]))
    assert abs(stated - reached) <= 0.01


def _accuracy(path: Path) -> float:
    return float({entry.key: entry.value for entry in onnx.load(path).metadata_props}["accuracy"])
