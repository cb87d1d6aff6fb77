"""Every example of the page about running plans runs, and its table of events is the program's."""

import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
from onnx import parser

from dovetail.compiler import compile_model
from dovetail.runtime import EventKind, register_backend

PAGE = (Path(__file__).parents[2] / "docs/runtime.md").read_text(encoding="utf-8")
MODEL = '<ir_version: 8, opset_import: ["": 17]> m (float[2, 4] x) => (float[2, 4] y) { y = Relu(x) }'


def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(parser.parse_model(MODEL), "model.onnx")
    compile_model("model.onnx", "cpu-only").save(Path("model.plan"))
    x = np.array([[-1, 0, 1, 2], [3, -4, 5, -6]], np.float32)
    names: dict[str, Any] = {"x": x}
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    try:
        for example in examples:
            exec(compile(example, "docs/runtime.md", "exec"), names)
            np.testing.assert_array_equal(names["outputs"]["y"], np.maximum(x, 0))
    finally:
        register_backend("MyBoard", None)
        names["executor"].close()


def test_every_event_of_a_device_is_in_the_table() -> None:
    told = set(re.findall(r"\| `([\w-]+)` \|$", PAGE, re.MULTILINE))
    assert told == set(get_args(EventKind)) - {"emulated", "batch"}
