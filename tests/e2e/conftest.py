"""What end-to-end tests share: real models, compiled once per run, and whether the NPU's simulator is here."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.compiler import CompileOptions, compile_model

ROOT = Path(__file__).resolve().parents[2]

Compile = Callable[[str, str, CompileOptions], Path]


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of real trained models; they are not part of the repository."""
    folder = Path(os.environ.get("DOVETAIL_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip("real models are not here; set DOVETAIL_MODELS to their folder")
    return folder


@pytest.fixture(scope="session")
def compiled(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compile a real model for a target, once."""
    folder = tmp_path_factory.mktemp("plans")

    def compile_once(name: str, target: str, options: CompileOptions) -> Path:
        plan = folder / f"{name}-{target.replace(':', '-')}.plan"
        return plan if plan.exists() else compile_model(models / f"{name}.onnx", target, options).save(plan)

    return compile_once


@pytest.fixture(scope="session")
def simulator() -> None:
    """Skip where Qualcomm's compiler and simulator are not installed."""
    if importlib.util.find_spec("onnxruntime_qnn") is None:
        pytest.skip("onnxruntime-qnn is not installed: pip install dovetail[qnn]")
