"""Native shape inference in a child process: a file that crashes it can't take the compiler down."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from dovetail.plan.errors import ModelError

MEMORY_LIMIT = 4 << 30
"""Bytes of address space for the child, most of it reserved by libraries and never touched."""
VALUES_MEMORY_LIMIT = 1 << 29
"""The same where the child also follows the values of shapes. It does so for every vector, however long: a hundred
additions of vectors of 480,000 elements take 4 GB."""
TIME_LIMIT_S = 120
"""Seconds for one model; inference is linear in nodes, and a chain of 50,000 takes 0.3 s."""
_INFER, _JUDGE = b"\0", b"\1"
"""The first byte of a question."""
_CHILD = Path(__file__).with_name("native_child.py")

Follow = Literal["values", "types"]


def infer_shapes(model: bytes, name: str) -> onnx.ModelProto:
    """The model with every type that onnx's inference finds, at any depth.

    Values of shapes are followed (a Reshape to the Shape of something) as long as that fits in the memory. The first
    call starts the child, in about 0.03 s; those that follow soon find it there.

    Args:
        model: a serialized model; big constants should have been left out of it.
        name: the model's name, for messages.

    Raises:
        ModelError: the child crashed, or ran out of memory or time.
    """
    answer = _ask("values", model, _INFER)
    if not answer.good:
        answer = _ask("types", model, _INFER)
    if not answer.good:
        words = answer.data.decode(errors="replace")[:500]
        raise ModelError(f"model '{name}': shape inference failed: {words}; export it again")
    inferred = onnx.ModelProto()
    inferred.ParseFromString(answer.data)
    return inferred


def judge_operators(model: bytes) -> str:
    """What ONNX's inference finds wrong with the nodes of a model, in its own words and one line; empty for nothing.

    Empty also where the child came to no end: that says nothing of the model.

    Args:
        model: a serialized model; big constants should have been left out of it.
    """
    answer = _ask("values", model, _JUDGE)  # its child is there already
    return answer.data.decode(errors="replace") if answer.good else ""


@dataclass(frozen=True, slots=True)
class _Answer:
    good: bool
    data: bytes
    """A serialized model or a judgement, or why there is none."""


_lock = threading.Lock()
_children: dict[tuple[int, Follow], "subprocess.Popen[bytes]"] = {}
"""By process and kind: a forked process must not talk into its parent's pipes."""


def _ask(follow: Follow, model: bytes, question: bytes) -> _Answer:
    with _lock:
        key = (os.getpid(), follow)
        for _ in range(2):  # an idle child may leave just as it is asked
            child = _children.get(key) or _start(follow)
            _children[key] = child
            answer = _exchange(child, question, model)
            if answer is not None:
                return answer
            status = _end(_children.pop(key), patience=1.0)
            if status != 0:
                return _Answer(False, f"the child process died with status {status}".encode())
        return _Answer(False, b"the child process left without an answer")


def _start(follow: Follow) -> "subprocess.Popen[bytes]":
    memory = VALUES_MEMORY_LIMIT if follow == "values" else MEMORY_LIMIT
    command = [sys.executable, "-P", str(_CHILD), str(memory), str(TIME_LIMIT_S), follow]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _end(child: "subprocess.Popen[bytes]", patience: float = 0.0) -> int:
    """Close the pipes, and kill the child if it has not left by itself. Returns its exit status."""
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):  # what was not sent yet can't be
            if pipe is not None:
                pipe.close()
    try:
        return child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


@atexit.register
def _end_all() -> None:
    for (process, _), child in _children.items():
        if process == os.getpid():
            _end(child)


def _exchange(child: "subprocess.Popen[bytes]", question: bytes, model: bytes) -> _Answer | None:
    """One question and its answer; None where the child is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    alarm = threading.Timer(TIME_LIMIT_S, child.kill)
    alarm.start()
    try:
        child.stdin.write(question + len(model).to_bytes(8, "big") + model)
        child.stdin.flush()
        head = child.stdout.read(9)
        data = child.stdout.read(int.from_bytes(head[1:], "big")) if len(head) == 9 else b""
        return _Answer(head[:1] == b"\1", data) if len(head) == 9 else None
    except OSError:
        return None
    finally:
        alarm.cancel()
