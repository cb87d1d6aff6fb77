"""Imports that are put off: absent until they are needed, and whole then."""

import subprocess
import sys

PROGRAM = """
import sys
import dovetail.compiler
assert "onnx_ir" in sys.modules
assert "sympy.core" not in sys.modules, "sympy is loaded before anybody calculates with a dimension"
import onnx_ir
assert str(onnx_ir.SymbolicDim("batch") + 1) == "batch + 1"
assert "sympy.core" in sys.modules
"""


def test_sympy_is_loaded_when_a_dimension_is_calculated_with() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
