"""How large the HTML report of a large model is, and how quickly a browser opens it and moves about in it.

    python benchmarks/html_report.py [--sizes 10000 50000] [--chromium PATH]

The model is a chain of attention blocks which all read one mask (`mask_model.py`). For a target that takes the whole of
it as one partition, and for one that cuts it into many, it is compiled, its report is written to a folder, and Chromium
opens the file from disk with the network off. Printed are what writing took, how long the browser takes until it first
paints and until the program in the page is ready, how long opening the operators of the largest partition takes, and
how many frames a second it draws while panning: over all operators at once, and where they can be read. The limits are
those for 10,000 operators on a machine of two cores, without a GPU.
"""

import argparse
import gc
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

TARGETS = ("huawei-ascend-310", "rockchip-rk3588")
"""One that takes the whole model, and one that does not take Erf."""
LIMITS = {
    "layout, s": ("<", 1.0),
    "size, MB": ("<", 5.0),
    "first paint, s": ("<", 2.0),
    "opening, s": ("<", 1.0),
    "frames a second, all": (">", 30.0),
    "frames a second, near": (">", 30.0),
}
_OPEN = """() => new Promise(done => {
    const start = performance.now();
    document.getElementById("level-whole").click();
    requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000), 0));
})"""
_PAN = """seconds => new Promise(done => {
    const canvas = document.getElementById("graph");
    const start = performance.now();
    let frames = 0;
    const step = now => {
        if (now - start > 1000 * seconds) return done(1000 * frames / (now - start));
        frames += 1;
        const key = Math.floor(frames / 25) % 2 ? "ArrowLeft" : "ArrowRight";
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
_READY = "() => performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"


@dataclass(frozen=True, slots=True)
class Written:
    """A report on disk."""

    path: Path
    operators: int
    partitions: int
    figures: dict[str, float]


def write_report(nodes: int, target: str, folder: Path) -> Written:
    """Compile a model of about so many operators and write its report."""
    from mask_model import build

    from dovetail.compiler import compile_model
    from dovetail.compiler.wiring import wire
    from dovetail.report.page import render_page
    from dovetail.report.page.rows import Tensors
    from dovetail.report.page.scenes import scenes
    from dovetail.report.page.texts import Texts

    model = folder / "mask.onnx"
    build(nodes, model)
    compilation = compile_model(model, target)
    plan, graph = compilation.plan, wire(compilation)
    start = time.perf_counter()
    scenes(plan, graph, Tensors(Texts(), plan, graph))
    laid_out = time.perf_counter()
    page = render_page(plan, graph)
    rendered = time.perf_counter()
    path = folder / f"{target}-{nodes}.html"
    path.write_text(page, encoding="utf-8")
    figures = {
        "layout, s": laid_out - start,
        "writing, s": rendered - laid_out,
        "size, MB": path.stat().st_size / 1e6,
    }
    return Written(path, len(plan.operators), len(plan.partitions), figures)


def measure(page: "Page", path: Path, seconds: float = 2.0) -> dict[str, float]:
    """Open a report in a browser and move about in it.

    Args:
        page: an empty one.
        path: of the report.
        seconds: of panning.
    """
    page.goto(path.as_uri(), wait_until="load", timeout=120_000)
    page.wait_for_selector("#level-whole:enabled", timeout=120_000)
    figures = {"first paint, s": page.evaluate(_PAINTED), "ready, s": page.evaluate(_READY)}
    figures["opening, s"] = page.evaluate(_OPEN)
    figures["frames a second, near"] = page.evaluate(_PAN, seconds)
    page.click("#fit")
    page.wait_for_timeout(400)
    figures["frames a second, all"] = page.evaluate(_PAN, seconds)
    return figures


def told(figures: dict[str, float], with_limits: bool) -> list[str]:
    """Return a line for each figure, with its limit and whether it holds."""
    lines = []
    for name, value in figures.items():
        line = f"  {name:<24}{value:>8.2f}"
        if with_limits and name in LIMITS:
            sign, limit = LIMITS[name]
            holds = value < limit if sign == "<" else value > limit
            line += f"   {sign} {limit:g} {'holds' if holds else 'DOES NOT HOLD'}"
        lines.append(line)
    return lines


def main() -> None:
    from playwright.sync_api import sync_playwright

    from dovetail.cli.main import COLLECT_AFTER

    gc.set_threshold(COLLECT_AFTER)  # as the command line does it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    if options.chromium is None:
        sys.exit("no chromium on PATH: install it, or give --chromium PATH")
    launch: dict[str, Any] = {"executable_path": options.chromium, "args": ["--no-sandbox"]}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for nodes in options.sizes:
            for target in TARGETS:
                written = write_report(nodes, target, Path(folder))
                browser = playwright.chromium.launch(**launch)
                page = browser.new_context(offline=True, viewport={"width": 1400, "height": 900}).new_page()
                figures = written.figures | measure(page, written.path)
                browser.close()
                print(f"{written.operators} operators on {target}, {written.partitions} partitions")
                print("\n".join(told(figures, with_limits=nodes <= 10_000)), flush=True)


if __name__ == "__main__":
    main()
