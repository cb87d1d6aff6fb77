"""What int8 costs the digit classifier: its accuracy on held-out digits in fp32, and as NPUs run it quantized."""

import importlib.util
import sys
import tempfile
import warnings
from pathlib import Path

import digits_data
import numpy as np
import onnxruntime

from dovetail.compiler import CompileOptions, QuantizeOptions, compile_model
from dovetail.plan import DovetailError
from dovetail.runtime import Executor

MODEL = Path(__file__).with_name("digits_fp32.onnx")
CALIBRATION_PICTURES = 256
TARGETS = ("arm-ethos-u85", "qualcomm-hexagon-htp")
MOST_POINTS = 0.5


def accuracy_in_float() -> float:
    """Of the unsplit model, in percent."""
    session = onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    pictures, labels = digits_data.load(held_out=True)
    guesses = [session.run(None, {"image": picture[None]})[0].argmax() for picture in pictures]
    return 100 * float(np.mean(guesses == labels))


def accuracy_of_plan(target: str, emulate: bool) -> tuple[float, str, str]:
    """Of what `--quantize int8` makes of the model, where it ran, and why the plan is what it is."""
    pictures, labels = digits_data.load(held_out=True)
    training, _ = digits_data.load(held_out=False)
    samples = [{"image": picture[None]} for picture in training[:CALIBRATION_PICTURES]]
    options = CompileOptions(quantize=QuantizeOptions(samples))
    compilation = compile_model(MODEL, target, options)
    choice = compilation.plan.quantization
    assert choice is not None
    with tempfile.TemporaryDirectory() as folder:
        plan = compilation.save(Path(folder, "digits.plan"))
        with Executor(plan, emulate=emulate) as executor:
            guesses = [executor.run({"image": picture[None]})["logits"].argmax() for picture in pictures]
            ran_on = ", ".join(dict.fromkeys(executor.placement.values()))
    return 100 * float(np.mean(guesses == labels)), ran_on, choice.reason


def main() -> int:
    """Print a line for each target; 1 where one loses more than half a point."""
    warnings.simplefilter("ignore")
    simulator = importlib.util.find_spec("onnxruntime_qnn") is not None
    exact = accuracy_in_float()
    print(f"{MODEL.stem}: {exact:.2f} % in fp32, on {digits_data.HELD_OUT} held-out digits")
    lost = 0.0
    for target in TARGETS:
        emulate = not (simulator and target == "qualcomm-hexagon-htp")
        try:
            reached, ran_on, reason = accuracy_of_plan(target, emulate)
        except DovetailError as error:
            print(f"{target}: {error}", file=sys.stderr)
            return 1
        lost = max(lost, exact - reached)
        print(f"{target}: {reached:.2f} %, {reached - exact:+.2f} points; ran on {ran_on}; {reason}")
    return int(lost > MOST_POINTS)


if __name__ == "__main__":
    sys.exit(main())
