"""A model of 10,000 operators in which one tensor feeds every block, in a browser."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.report.page.visiting import ROOT, Visit

OPERATORS = 10_000
FAR_TOO_LONG_S = 60.0
"""The limits are the benchmark's, which compares within a run of its own; a busy machine must not fail a test."""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    """`benchmarks/html_report.py`, which measures what is tried here."""
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("html_report", f"{folder}/html_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(folder)
    del sys.modules[spec.name]


@pytest.mark.parametrize("place", [0, 1], ids=["one partition", "many partitions"])
def test_ten_thousand_operators_open_and_move(
    benchmark: ModuleType, place: int, visit: Callable[[Path], Visit], tmp_path: Path
) -> None:
    written = benchmark.write_report(OPERATORS, benchmark.TARGETS[place], tmp_path)
    assert written.operators >= OPERATORS
    assert (written.partitions > 100) == (place == 1)
    assert written.figures["size, MB"] < benchmark.LIMITS["size, MB"][1]
    opened = visit(written.path)
    figures = benchmark.measure(opened.page, written.path, seconds=0.5)
    print("\n".join(benchmark.told(written.figures | figures, with_limits=True)))
    assert max(value for name, value in figures.items() if name.endswith(", s")) < FAR_TOO_LONG_S
    assert opened.page.locator("#path li").last.inner_text() == "operators"
    opened.page.locator("#search").fill("layer.700.softmax")
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#panel .name").inner_text() == "layer.700.softmax"
    rows = opened.page.locator("#partitions tbody tr")
    assert rows.count() == written.partitions
