"""What the browser tests share: pages of real compilations, and a page that is open."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from dovetail.compiler import CompileOptions, compile_model
from dovetail.compiler.counterfactual import suggest
from dovetail.compiler.wiring import wire
from dovetail.report.page import render_page

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "sample_models"


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
