"""The digit classifier keeps its accuracy in int8, as its own script measures it."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "sample_models" / "digits_accuracy.py"


def test_int8_keeps_the_accuracy_within_half_a_point() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    exact, *lines = done.stdout.splitlines()
    stated = re.match(r"digits_fp32: (\d+\.\d+) % in fp32, on 450 held-out digits", exact)
    assert stated is not None
    points = {}
    for line in lines:
        found = re.match(r"(.+): (\d+\.\d+) %, .* points; ran on (.*npu.*); int8 is taken: ", line)
        assert found is not None, line
        points[found[1]] = float(found[2]) - float(stated[1])
    assert set(points) == {"arm-ethos-u85", "qualcomm-hexagon-htp"}
    assert min(points.values()) >= -0.5
