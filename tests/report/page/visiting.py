"""What the browser tests share: pages of real compilations, and a page that is open."""

from dataclasses import dataclass, field
from pathlib import Path

import onnx
from playwright.sync_api import Page

from dovetail.compiler import CompileOptions, compile_model
from dovetail.compiler.counterfactual import suggest
from dovetail.compiler.wiring import wire
from dovetail.report.page import render_page

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "sample_models"
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"quotes\" & 'quotes' {{ 7 * 7 }} ${1}",
    "line\nbreak\x01\x1b[31m\x07",
    "\u202eright to left\u2066",
    "__proto__",
)
"""Names that could be taken for something else than text."""


@dataclass(slots=True)
class Visit:
    """A page that is open, and what went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    """Messages of its console, errors of its program, requests for anything but the file itself."""


def write(model: Path, target: str, folder: Path) -> Path:
    """Compile a model and write its page."""
    options = CompileOptions()
    compilation = compile_model(model, target, options)
    page = render_page(compilation.plan, wire(compilation), suggest(compilation, options))
    path = folder / f"{model.stem}.html"
    path.write_text(page, encoding="utf-8")
    return path


def hostile_model(folder: Path) -> Path:
    """Write a chain of operators with these names."""
    source, nodes = "x", []
    for name in HOSTILE:
        output = "y" if name == HOSTILE[-1] else f"{name} out"
        nodes.append(onnx.helper.make_node("Relu", [source], [output], name))
        source = output
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4, 8, 8]) for name in ("x", "y")]
    graph = onnx.helper.make_graph(nodes, "hostile", ends[:1], ends[1:], doc_string=HOSTILE[0])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "<b>hostile.onnx"
    path.write_bytes(model.SerializeToString())
    return path
