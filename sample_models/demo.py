"""The demo: compile a sample model for an NPU, say what runs where, run it, compare it with the unsplit model."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODEL = HERE / "digits_qdq.onnx"
DETECTOR = HERE / "ssd_detector.onnx"
INPUT = HERE / "inputs" / "digit.npy"
TARGET = "qualcomm-hexagon-htp"
BUILD = Path("build")


def dovetail(*arguments: str) -> None:
    """Show a command and run it; the demo stops where one fails."""
    print(f"\n$ dovetail {' '.join(arguments)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "dovetail.cli", *arguments], check=False).returncode
    if status:
        sys.exit(status)


def main() -> None:
    """Two models: one that the NPU takes whole, and one whose post-processing falls back."""
    simulated = importlib.util.find_spec("onnxruntime_qnn") is not None
    emulate = [] if simulated else ["--emulate"]
    if simulated:
        print("The NPU's partitions go through Qualcomm's compiler and run on its simulator, or on a real NPU.")
    else:
        print("No QNN package for this platform: the NPU's partitions run emulated on the CPU.")
    BUILD.mkdir(exist_ok=True)
    plan, detector = str(BUILD / "digits.plan"), str(BUILD / "detector.plan")
    label = json.loads(INPUT.with_suffix(".json").read_text())["label"]

    print("A quantized classifier, which the NPU takes whole:")
    dovetail("compile", _shown(MODEL), "-t", TARGET, "-o", plan)
    print(f"\nA held-out picture of the digit {label}:")
    dovetail("run", plan, "--input", f"image={_shown(INPUT)}", *emulate)
    dovetail("verify", plan, _shown(MODEL), "--tolerance", "0.1", *emulate)

    print("\nA detector, whose post-processing no NPU takes, placed by cost:")
    dovetail("compile", _shown(DETECTOR), "-t", TARGET, "-o", detector)
    dovetail("verify", detector, _shown(DETECTOR), *emulate)
    print("\nNext: `dovetail explain` an operator that fell back, or compile a model of your own; see docs/index.md.")


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    main()
