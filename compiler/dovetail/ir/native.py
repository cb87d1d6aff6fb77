"""Native shape inference in a child process: a file that crashes it can't take the compiler down."""

import subprocess
import sys
from pathlib import Path

import onnx

from dovetail.plan.errors import ModelError

MEMORY_LIMIT = 4 << 30
"""Bytes of address space for the child, most of it reserved by libraries and never touched."""
VALUES_MEMORY_LIMIT = 1 << 30
"""The same where the child also follows the values of shapes. It does so for every vector, however long: a hundred
additions of vectors of 480,000 elements take 4 GB."""
TIME_LIMIT_S = 120
"""Seconds; inference is linear in nodes, and a chain of 50,000 takes 0.3 s."""
_CHILD = Path(__file__).with_name("native_child.py")


def infer_shapes(model: bytes, name: str) -> onnx.ModelProto:
    """The model with every type that onnx's inference finds, at any depth.

    Values of shapes are followed (a Reshape to the Shape of something) as long as that fits in the memory.

    Args:
        model: a serialized model; big constants should have been left out of it.
        name: the model's name, for messages.

    Raises:
        ModelError: the child crashed, ran out of memory or time, or found types that contradict each other.
    """
    done = _run(model, name, VALUES_MEMORY_LIMIT, "values")
    if done.returncode != 0:
        done = _run(model, name, MEMORY_LIMIT, "types")
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise ModelError(f"model '{name}': shape inference failed: {words[-1][:500]}")
    inferred = onnx.ModelProto()
    inferred.ParseFromString(done.stdout)
    return inferred


def _run(model: bytes, name: str, memory: int, follow: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-P", str(_CHILD), str(memory), str(TIME_LIMIT_S), follow]
    try:
        return subprocess.run(command, input=model, capture_output=True, timeout=TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(f"model '{name}': shape inference took over {TIME_LIMIT_S} s and was stopped") from None
