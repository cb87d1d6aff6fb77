"""Every example of the page for users of onnxruntime runs, and its table is the program's."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser

from dovetail.compiler import compile_model
from dovetail.session.providers import _KNOWN

PAGE = (Path(__file__).parents[2] / "docs/from_onnxruntime.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MODEL = '<ir_version: 8, opset_import: ["": 17]> m (float[batch, 4] x) => (float[batch, 4] y) { y = Relu(x) }'


def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(parser.parse_model(MODEL), "model.onnx")
    compile_model("model.onnx", "cpu-only").save(Path("model.plan"))
    names: dict[str, Any] = {"x": np.array([[-1, 0, 1, 2]], np.float32)}
    assert len(EXAMPLES) == 5
    for example in EXAMPLES:
        names.pop("y", None)
        exec(compile(example, "docs/from_onnxruntime.md", "exec"), names)
        np.testing.assert_allclose(names["y"], [[0, 0, 1, 2]], atol=1e-3)


def test_the_table_of_providers_is_the_programs() -> None:
    rows = dict(re.findall(r"^\| `(\w+ExecutionProvider)` \| `([\w-]+)` \|$", PAGE, re.MULTILINE))
    assert rows == {name: known.target for name, known in _KNOWN.items() if known.kind != "cpu" and known.target}
