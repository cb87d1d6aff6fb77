"""Native shape inference in a child process: a file that crashes it can't take the compiler down."""

import subprocess
import sys
from pathlib import Path

import onnx

from dovetail.plan.errors import ModelError

MEMORY_LIMIT = 4 << 30
"""Bytes of address space for the child, most of it reserved by libraries and never touched."""
TIME_LIMIT_S = 120
"""Seconds; inference is linear in nodes, and a chain of 50,000 takes 0.3 s."""
_CHILD = Path(__file__).with_name("native_child.py")


def infer_shapes(model: bytes, name: str) -> onnx.ModelProto:
    """The model with every type that onnx's inference finds, at any depth.

    Args:
        model: a serialized model; big constants should have been left out of it.
        name: the model's name, for messages.

    Raises:
        ModelError: the child crashed, ran out of memory or time, or found types that contradict each other.
    """
    command = [sys.executable, "-P", str(_CHILD), str(MEMORY_LIMIT), str(TIME_LIMIT_S)]
    try:
        done = subprocess.run(command, input=model, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(f"model '{name}': shape inference took over {TIME_LIMIT_S} s and was stopped") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise ModelError(f"model '{name}': shape inference failed: {words[-1][:500]}")
    inferred = onnx.ModelProto()
    inferred.ParseFromString(done.stdout)
    return inferred
