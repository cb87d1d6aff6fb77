"""The wheel `dovetail-runtime` in an environment of its own: numpy and onnxruntime are all that a plan needs."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from dovetail.compiler import compile_model
from dovetail.runtime import Executor

ROOT: Final = Path(__file__).parents[2]
MODEL: Final = ROOT / "sample_models" / "digits_qdq.onnx"
PROGRAM: Final = """
import json, sys
from importlib.metadata import distributions, packages_distributions
import numpy as np
from dovetail.session import InferenceSession
session = InferenceSession(sys.argv[1])
outputs = session.run(None, {"image": np.load(sys.argv[2])})
np.save(sys.argv[3], outputs[0])
owners = packages_distributions()
roots = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({
    "used": sorted({owner for root in roots for owner in owners.get(root, ())}),
    "installed": sorted(each.name for each in distributions()),
    "providers": session.get_providers(),
}))
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("slim")
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT / "runtime")
    if built.returncode:
        pytest.skip(f"the wheel can't be built here, as without a package index: {built.stderr.strip()[-200:]}")
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    (wheel,) = folder.glob("dovetail_runtime-*.whl")
    installed = run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    if installed.returncode:
        pytest.skip(f"the wheel can't be installed here, as without an index: {installed.stderr.strip()[-200:]}")
    return python


def test_a_plan_runs_with_numpy_and_onnxruntime_alone(python: Path, tmp_path: Path) -> None:
    plan = compile_model(MODEL, "qualcomm-hexagon-htp").save(tmp_path / "digits.plan")
    image = np.random.default_rng(0).random((1, 1, 8, 8), np.float32)
    np.save(tmp_path / "image.npy", image)
    ran = run(python, "-c", PROGRAM, plan, tmp_path / "image.npy", tmp_path / "out.npy")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert {"dovetail-runtime", "numpy", "onnxruntime"} <= set(told["used"])
    assert not {"onnx", "torch", "networkx", "pydantic", "PyYAML", "scipy", "click", "dovetail"} & set(
        told["installed"]
    )
    assert told["providers"] == ["CPUExecutionProvider"]
    with Executor(plan, emulate=True) as executor:
        (wanted,) = executor.run({"image": image}).values()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), wanted, atol=0.07)  # two of its quanta


def test_a_model_needs_the_compiler(python: Path) -> None:
    program = "import sys; from dovetail.session import InferenceSession; InferenceSession(sys.argv[1])"
    ran = run(python, "-c", program, MODEL)
    assert ran.returncode == 1
    assert "only dovetail-runtime is installed; install dovetail, or give a plan folder" in ran.stderr
