"""Vela: how it is found, and what it answers where it is installed."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.lowering.tflite import LiteOperator, LiteTensor
from dovetail.lowering.vela import VARIABLE, ask_vela, find_vela, interpreter_of
from dovetail.plan.errors import LoweringError

PYTHON, WHY = find_vela()
needs_vela = pytest.mark.skipif(PYTHON is None, reason="needs Vela, on PATH or named by DOVETAIL_VELA")
IMAGE = LiteTensor((1, 8, 8, 4), "int8", None, (0.05,), (3,))
TAKEN = (LiteOperator("ABS", (IMAGE,), (replace(IMAGE),), "AbsOptions"),)
REFUSED = (LiteOperator("SIN", (IMAGE,), (replace(IMAGE),)),)


def script(folder: Path, first: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "vela"
    path.write_text(f"{first}\nimport sys\n", encoding="utf-8")
    return path


def test_the_python_of_a_command_stands_in_its_first_line(tmp_path: Path) -> None:
    assert interpreter_of(script(tmp_path, f"#!{sys.executable}")) == Path(sys.executable)


def test_else_it_lies_beside_the_command(tmp_path: Path) -> None:
    command = script(tmp_path, "#!/bin/sh")
    assert interpreter_of(command) is None
    python = tmp_path / "python3"
    python.touch()
    link = tmp_path / "elsewhere"
    link.symlink_to(command)
    assert interpreter_of(link) == python


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_vela()[0] is None
    assert "pip install ethos-u-vela" in find_vela()[1]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    assert "is no file" in find_vela()[1]
    monkeypatch.setenv(VARIABLE, str(script(tmp_path, "#!/bin/sh")))
    assert "no Python was found" in find_vela()[1]
    with pytest.raises(LoweringError, match="no Python was found"):
        ask_vela({}, "ethos-u85-256")


def test_a_python_without_vela_is_an_error_and_no_answer() -> None:
    with pytest.raises(LoweringError, match="does not start"):
        ask_vela({"a": TAKEN}, "ethos-u85-256", Path(sys.executable))


@pytest.mark.npu
@needs_vela
def test_vela_takes_and_refuses_with_reasons() -> None:
    name, answers = ask_vela({"taken": TAKEN, "refused": REFUSED}, "ethos-u55-256")

    assert name.startswith("ethos-u-vela ")
    assert name.endswith("ethos-u55-256")
    assert answers["taken"].whole
    assert answers["refused"].left == ("SIN",)
    assert "Unsupported opType" in answers["refused"].words


@pytest.mark.npu
@needs_vela
def test_a_model_that_vela_can_not_read_costs_one_answer() -> None:
    broken = (LiteOperator("SPLIT", (IMAGE,), (replace(IMAGE),), "SplitOptions", {"NumSplits": 7}),)
    _, answers = ask_vela({"broken": broken, "taken": TAKEN}, "ethos-u85-256")

    assert not answers["broken"].whole
    assert answers["taken"].whole


@pytest.mark.npu
@needs_vela
def test_an_accelerator_that_vela_has_not_is_named() -> None:
    with pytest.raises(LoweringError, match="no accelerator 'ethos-u99'; it has ethos-u55-32"):
        ask_vela({}, "ethos-u99")


@pytest.mark.npu
@needs_vela
def test_weights_reach_vela_as_they_are() -> None:
    """A sum of weights beyond what the accumulators hold is refused."""
    shape = (1, 30, 30, 100)
    values = {"Padding": 1, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    sums = {}
    for value in (1, 127):
        weights = LiteTensor(shape, "int8", np.full(shape, value, np.int8), (0.05,), (0,))
        tensors = (replace(IMAGE, shape=shape), weights), (replace(IMAGE, shape=(1, 1, 1, 1)),)
        sums[str(value)] = (LiteOperator("CONV_2D", *tensors, "Conv2DOptions", values),)
    _, answers = ask_vela(sums, "ethos-u85-256")

    assert answers["1"].whole
    assert not answers["127"].whole
