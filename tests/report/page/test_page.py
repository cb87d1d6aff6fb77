"""The page as text: what it holds, and what no model can put into it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.report.page.visiting import HOSTILE, SAMPLES, hostile_model

from dovetail.compiler import Compilation, CompileOptions, compile_model, trace_pareto
from dovetail.compiler.counterfactual import suggest
from dovetail.compiler.wiring import wire
from dovetail.plan import Plan
from dovetail.plan.causes import displaced_operators
from dovetail.report.page import render_page
from dovetail.report.words import printable

DETECTOR = SAMPLES / "ssd_detector.onnx"
ASCEND = "huawei-ascend-310"


class Seen(HTMLParser):
    """Every element with its attributes, and the text in scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in self.raw:
            self.raw[self._in].append(data)


def data_of(page: str) -> dict[str, Any]:
    """What the page's program works on."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    document: dict[str, Any] = json.loads(text)
    return document


@pytest.fixture(scope="module")
def compiled() -> Compilation:
    return compile_model(SAMPLES / "transformer.onnx", ASCEND)


@pytest.fixture(scope="module")
def page(compiled: Compilation) -> str:
    return render_page(compiled.plan, wire(compiled), suggest(compiled, CompileOptions()))


def test_it_names_nothing_outside_itself(page: str) -> None:
    seen = Seen(page)
    for tag, attributes in seen.elements:
        assert tag not in ("img", "iframe", "object", "embed", "audio", "video", "form", "base")
        assert "src" not in attributes
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon|new Worker", page)


def test_its_policy_lets_only_its_own_program_and_style_run(page: str) -> None:
    seen = Seen(page)
    (policy,) = (each["content"] for _, each in seen.elements if each.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    _, program = seen.raw["script"]
    for text, kind in ((program, "script-src"), ("".join(seen.raw["style"]), "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    # which would be stopped by it
    assert not [each for _, each in seen.elements if "style" in each or any(name.startswith("on") for name in each)]


def test_without_its_data_it_is_small(page: str) -> None:
    data = re.sub(r'id="data">.*?</script>', "", page, flags=re.DOTALL)
    assert len(data) < 300_000


def test_the_same_plan_gives_the_same_page(compiled: Compilation, page: str) -> None:
    assert render_page(compiled.plan, wire(compiled), suggest(compiled, CompileOptions())) == page


def test_the_head_says_what_the_plan_says(compiled: Compilation, page: str) -> None:
    plan = compiled.plan
    on_npu = sum(operator.device == "npu" for operator in plan.operators)
    assert f"{on_npu} of {len(plan.operators)} operators run on the npu" in page
    assert f"{plan.predicted.latency_ms:.3g} ms" in page
    best = next(each for each in plan.predicted.alternatives if each.name == "all on cpu")
    assert f"all on cpu: {best.latency_ms:.3g} ms" in page
    assert "latency proven optimal" in page


def test_what_would_help_is_in_it_with_the_gain(compiled: Compilation, page: str) -> None:
    found = suggest(compiled, CompileOptions())
    assert found is not None
    assert found.best
    assert f"the {found.best[0].operators} {found.best[0].op_type}" in page
    assert "What would help most" in page
    assert "What would help most" not in render_page(compiled.plan)


def test_every_displaced_operator_has_its_reason(compiled: Compilation, page: str) -> None:
    document = data_of(page)
    strings, names = document["strings"], {each.name for each in displaced_operators(compiled.plan)}
    away = [row for row in document["operators"] if row[7] >= 0]
    assert {strings[row[0]] for row in away} == names
    for row in away:
        code, rule, words, got, _, fix, *_ = (strings[number] for number in document["reasons"][row[7]])
        assert re.fullmatch(r"DV\d{3}", code)
        assert all((rule, words, got, fix))
        assert f'id="{code}"' in page


def test_every_crossing_has_its_cost(compiled: Compilation, page: str) -> None:
    rows = data_of(page)["transfers"]
    assert len(rows) == len(compiled.plan.transfers) > 0
    assert all(row[4] > 0 and row[5] > 0 for row in rows)


def test_figures_that_are_better_than_modelled_say_so(compiled: Compilation) -> None:
    predicted = replace(compiled.plan.predicted, source="measured")
    page = render_page(replace(compiled.plan, predicted=predicted))
    (tile,) = re.findall(r'<p class="label">Latency</p>.*?</div>', page, re.DOTALL)
    assert 'class="mark mark-t"' in tile
    (energy,) = re.findall(r'<p class="label">Energy of a request</p>.*?</div>', page, re.DOTALL)
    assert 'class="mark mark-m"' in energy
    assert data_of(page)["source"] == "measured"


def test_what_is_faster_because_devices_overlap_says_so_beside_what_does_not(compiled: Compilation, page: str) -> None:
    figures = replace(compiled.plan.predicted, latency_ms=0.5, serial_latency_ms=0.6)
    words = '<th scope="row">this plan, devices at the same time</th>'

    assert words in render_page(replace(compiled.plan, predicted=figures))
    assert words not in page


def test_a_plan_without_figures_has_a_page_without_them(compiled: Compilation) -> None:
    bare = replace(compiled.plan.predicted, latency_ms=None, energy_mj=None, alternatives=(), gap=None, value=None)
    page = render_page(replace(compiled.plan, predicted=bare))
    assert '<p class="label">Partitions</p>' in page
    assert '<p class="label">Latency</p>' not in page
    assert "Beside simpler placements" not in page


def test_without_the_graph_there_is_nothing_inside_partitions(compiled: Compilation) -> None:
    drawn = data_of(render_page(compiled.plan))["scenes"]
    assert drawn["top"]["boxes"]
    assert set(drawn["whole"]) == set(drawn["folded"]) == {None}


def test_batch_sizes_and_the_front_are_shown_where_they_are_given() -> None:
    plan = compile_model(SAMPLES / "mobilenet_v2.onnx", "nvidia-orin-dla", CompileOptions(batches=(1, 8))).plan
    assert '<section id="batches"' in render_page(plan)
    front = trace_pareto(SAMPLES / "npu_whole.onnx", "mediatek-mdla")
    page = render_page(plan, front=front)
    assert page.count("<circle") > len(front.points)
    assert '<section id="front"' in page


def test_bodies_of_control_flow_are_told() -> None:
    compilation = compile_model(SAMPLES / "control_flow.onnx", "qualcomm-hexagon-htp")
    page = render_page(compilation.plan, wire(compilation))
    assert '<section id="bodies"' in page
    rows = data_of(page)["operators"]
    assert all(rows[row[10]][10] == -1 for row in rows if row[10] >= 0)
    assert any(row[10] >= 0 for row in rows)


def test_a_page_made_without_suggestions_has_no_gains(compiled: Compilation, page: str) -> None:
    assert data_of(page)["gains"]
    assert data_of(render_page(compiled.plan))["gains"] == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, str]:
    compilation = compile_model(hostile_model(tmp_path_factory.mktemp("hostile")), ASCEND)
    return compilation.plan, render_page(compilation.plan, wire(compilation))


def test_names_stay_text_whatever_they_are(hostile: tuple[Plan, str], page: str) -> None:
    plan, text = hostile
    assert {name for name, _ in Seen(text).elements} <= {name for name, _ in Seen(page).elements} | {"section"}
    assert text.count("<script") == page.count("<script") == 2
    assert {operator.name for operator in plan.operators} == set(HOSTILE)
    assert {printable(name) for name in HOSTILE} <= set(data_of(text)["strings"])
    assert "<b>hostile" not in text


def test_no_control_character_is_in_the_page(hostile: tuple[Plan, str]) -> None:
    _, text = hostile
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
