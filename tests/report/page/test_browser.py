"""The page in a real browser, from disk, with the network off."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect
from tests.report.page.visiting import HOSTILE, SAMPLES, Visit, hostile_model, write

from dovetail.compiler import CompileOptions, compile_model
from dovetail.report.sarif import render_sarif
from dovetail.report.words import printable

Open = Callable[[Path], Visit]
PAIRS = {
    "digits_qdq": "arm-ethos-u85",
    "ssd_detector": "qualcomm-hexagon-htp",
    "transformer": "huawei-ascend-310",
    "ultraface_rfb_320": "nvidia-orin-dla",
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, shared_models: Callable[[str], Path]) -> Callable[[str], Path]:
    """The page of a model, written once."""
    folder = tmp_path_factory.mktemp("pages")

    def path(name: str) -> Path:
        model = SAMPLES / f"{name}.onnx"
        if not (folder / f"{name}.html").exists():
            write(model if model.exists() else shared_models(model.name), PAIRS[name], folder)
        return folder / f"{name}.html"

    return path


@pytest.fixture(params=PAIRS)
def page(request: pytest.FixtureRequest, written: Callable[[str], Path], visit: Open) -> Page:
    return visit(written(request.param)).page


@pytest.fixture
def detector(written: Callable[[str], Path], visit: Open) -> Page:
    return visit(written("ssd_detector")).page


LOOK = """chosen => {
    document.documentElement.dataset.theme = chosen;
    const style = getComputedStyle(document.documentElement);
    const names = "ground card ink muted line edge accent soft crossing good bad host shade".split(" ");
    return [...names.map((name) => style.getPropertyValue(`--${name}`)), style.colorScheme];
}"""


def point_at(page: Page, words: str) -> tuple[float, float]:
    """Move the pointer over the graph until what it says beside it begins with these words."""
    canvas = page.locator("#graph")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for down in range(12, int(box["height"]), 30):
        for across in range(20, int(box["width"]), 60):
            x, y = box["x"] + across, box["y"] + down
            page.mouse.move(x, y)
            if page.locator("#tip").is_visible() and page.locator("#tip").inner_text().startswith(words):
                return x, y
    raise AssertionError(f"nothing in the graph is called {words}")


def path_of(page: Page) -> str:
    return " > ".join(page.locator("#path li").all_inner_texts())


def test_it_opens_with_the_verdict_first(page: Page) -> None:
    expect(page.locator("h1")).to_contain_text(" on ")
    expect(page.locator(".tile")).to_have_count(4)
    assert page.locator(".headline").inner_text().endswith(".")
    assert path_of(page) == "All partitions"
    assert page.locator("#partitions tbody tr").count() >= 2


def test_a_click_opens_a_partition_and_the_path_leads_back(page: Page) -> None:
    first = page.locator("#partitions tbody tr").first.locator("button").inner_text()
    page.mouse.click(*point_at(page, first))
    assert path_of(page).startswith(f"All partitions > {first}")
    expect(page.locator("#panel .name")).to_have_text(first)
    page.get_by_role("button", name="All partitions").click()
    assert path_of(page) == "All partitions"


def test_search_goes_to_an_operator(page: Page) -> None:
    name = page.locator("#away tbody tr").last.locator("button").inner_text()
    page.locator("#search").fill(name)
    assert int(page.locator("#count").inner_text()) >= 1
    page.keyboard.press("Enter")
    expect(page.locator("#panel .name")).to_have_text(name)
    assert "All partitions > " in path_of(page)
    assert page.locator("#count").inner_text().startswith("1 / ")


def test_what_is_not_there_is_not_found(detector: Page) -> None:
    detector.locator("#search").fill("no such operator")
    expect(detector.locator("#found")).to_have_text("nothing has this name")
    detector.keyboard.press("Enter")
    assert path_of(detector) == "All partitions"


def test_the_theme_switches_and_is_kept(detector: Page) -> None:
    def ground() -> str:
        return str(detector.evaluate("() => getComputedStyle(document.body).backgroundColor"))

    before = ground()
    detector.locator("#theme").click()
    assert detector.locator("html").get_attribute("data-theme") == "dark"
    assert ground() != before
    detector.reload()
    assert detector.locator("html").get_attribute("data-theme") == "dark"


def test_a_dark_system_and_the_switch_lead_to_the_same_colours(detector: Page) -> None:
    def look(system: Literal["light", "dark"], chosen: str = "") -> list[str]:
        detector.emulate_media(color_scheme=system)
        return [str(each) for each in detector.evaluate(LOOK, chosen)]

    light, dark = look("light"), look("dark")
    assert len(light) > 10
    assert all(light)
    assert light != dark
    assert (look("light", "dark"), look("dark", "dark")) == (dark, dark)
    assert (look("light", "light"), look("dark", "light")) == (light, light)


def test_a_table_sorts_both_ways_and_filters(detector: Page) -> None:
    rows = detector.locator("#away tbody tr")
    head = detector.locator("#away th", has_text="Operator")

    def names() -> list[str]:
        return [row.locator("button").inner_text() for row in rows.all()]

    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = names()
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names() == up[::-1]
    detector.locator("#away input").fill("TopK")
    assert 0 < rows.count() < len(up)
    assert all("TopK" in row.inner_text() for row in rows.all())


def test_operators_are_listed_with_what_takes_longest_first(page: Page) -> None:
    shares = [float(row.locator("td").nth(4).inner_text().split()[0]) for row in page.locator("#away tbody tr").all()]
    assert shares == sorted(shares, reverse=True)


def test_the_share_of_time_is_that_of_sarif(detector: Page) -> None:
    plan = compile_model(SAMPLES / "ssd_detector.onnx", PAIRS["ssd_detector"], CompileOptions()).plan
    assert plan.transfers, "else both shares would be of the same time"
    (run,) = json.loads(render_sarif(plan, Path("ssd_detector.onnx")))["runs"]
    most = max(result["properties"]["share_of_time"] for result in run["results"])
    row = detector.locator("#away tbody tr").first
    assert float(row.locator("td").nth(4).inner_text().split()[0]) == pytest.approx(100 * most, rel=0.01)


def test_the_keyboard_alone_opens_a_partition(page: Page) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "graph":
            break
    assert page.evaluate("() => document.activeElement.id") == "graph"
    first = page.locator("#partitions tbody tr").first.locator("button").inner_text()
    for _ in range(20):
        page.keyboard.press("j")
        if page.locator("#panel .name").inner_text() == first:
            break
    page.keyboard.press("Enter")
    assert path_of(page).startswith(f"All partitions > {first}")
    page.keyboard.press("j")
    assert page.locator("#panel .name").inner_text() != first
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert path_of(page) == "All partitions"
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.id") == "search"


def test_the_timeline_selects_in_the_graph(detector: Page) -> None:
    canvas = detector.locator("#timeline")
    canvas.focus()
    detector.keyboard.press("ArrowRight")
    first = detector.locator("#partitions tbody tr").first.locator("button").inner_text()
    expect(detector.locator("#panel .name")).to_have_text(first)
    detector.keyboard.press("Enter")
    assert path_of(detector).startswith(f"All partitions > {first}")


def test_the_wheel_zooms_only_a_graph_that_was_chosen(detector: Page) -> None:
    detector.mouse.move(*point_at(detector, "000-npu"))
    top = detector.evaluate("() => scrollY")
    detector.mouse.wheel(0, 200)
    detector.wait_for_function(f"() => scrollY > {top}")
    detector.locator("#graph").focus()
    detector.mouse.move(*point_at(detector, "000-npu"))
    top = detector.evaluate("() => scrollY")
    before = detector.locator("#graph").screenshot()
    detector.mouse.wheel(0, -200)
    detector.wait_for_timeout(200)
    assert detector.evaluate("() => scrollY") == top
    assert detector.locator("#graph").screenshot() != before


def test_what_would_help_stands_beside_the_operators_it_would_help(written: Callable[[str], Path], visit: Open) -> None:
    page = visit(written("transformer")).page
    gain = page.locator(".gains .change").first.inner_text()
    normalization = page.locator("#away tbody tr", has_text="LayerNormalization").first
    assert gain in normalization.inner_text()
    page.locator("#away th button", has_text="Gain").click()
    expect(page.locator("#away tbody tr").first).to_contain_text("LayerNormalization")


def test_hostile_names_are_text_everywhere(visit: Open, tmp_path: Path) -> None:
    page = visit(write(hostile_model(tmp_path), PAIRS["transformer"], tmp_path)).page
    for name in HOSTILE:
        page.locator("#search").fill(printable(name))
        page.keyboard.press("Enter")
        expect(page.locator("#panel .name")).to_have_text(printable(name))
    assert page.locator("img, #panel script").count() == 0


def test_every_code_leads_to_its_explanation(page: Page) -> None:
    wanted = set(page.eval_on_selector_all("a.code", "all => all.map(each => each.getAttribute('href').slice(1))"))
    assert wanted
    for code in wanted:
        assert page.locator(f"#codes #{code} dd").inner_text()


@pytest.mark.parametrize("width", [1400, 800, 390])
def test_no_width_scrolls_sideways(detector: Page, width: int) -> None:
    detector.set_viewport_size({"width": width, "height": 844})
    assert detector.evaluate("() => document.documentElement.scrollWidth") <= width
    assert detector.locator("#graph").bounding_box()["width"] <= width  # type: ignore[index]


def test_on_paper_all_rows_and_no_buttons(detector: Page) -> None:
    assert detector.pdf().startswith(b"%PDF")
    detector.emulate_media(media="print")
    assert not detector.locator(".toolbar .search").is_visible()
    scrolled = "all => all.some(each => each.scrollHeight > each.clientHeight + 2)"
    assert not detector.eval_on_selector_all(".scroll", scrolled)


NAMELESS = """() => [...document.querySelectorAll("button, input, a[href], canvas[tabindex], [tabindex='0']")]
    .filter(each => each.offsetParent && !(each.getAttribute("aria-label") || each.textContent.trim()))
    .map(each => each.outerHTML)"""
TWICE = """() => { const seen = [...document.querySelectorAll("[id]")].map(each => each.id);
    return seen.filter((id, place) => seen.indexOf(id) !== place); }"""


def test_everything_that_can_be_chosen_has_a_name(page: Page) -> None:
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(TWICE) == []


FAINT = """() => {
    const parts = color => (color.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(each => each / 255)
        .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);
    const under = each => {
        for (let at = each; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0.99) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const each of document.querySelectorAll("body *")) {
        const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!own || !each.offsetParent || each.disabled || each.closest(".unseen, .hint, script, noscript")) continue;
        const style = getComputedStyle(each);
        const [a, b] = [light(parts(style.color)), light(under(each))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (contrast < (large ? 3 : 4.5)) found.push(`${each.className || each.tagName} ${contrast.toFixed(2)}`);
    }
    return [...new Set(found)];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read_against_its_ground(detector: Page, theme: str) -> None:
    detector.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    detector.locator("#away tbody button").first.click()
    assert detector.evaluate(FAINT) == []
