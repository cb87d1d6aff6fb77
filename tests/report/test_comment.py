"""The report as Markdown: complete, short enough for a comment, and no name of a model can format it."""

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from itertools import pairwise

from markdown_it import MarkdownIt

from dovetail.plan import CostTerm, Plan, Predicted, UnitFigures, Variant, as_variant
from dovetail.report import render_markdown, summarize
from dovetail.report.markdown import MOST_CHARACTERS, escaped, folded

GITHUB = MarkdownIt("commonmark").enable("table")
NO_WIDTH = "\u200b"


def cells(markdown: str) -> list[str]:
    """What the tables show, cell by cell; the text of a cell must have no markup."""
    tokens = GITHUB.parse(markdown)
    shown = []
    for before, token in pairwise(tokens):
        if before.type in ("td_open", "th_open"):
            assert {child.type for child in token.children or ()} <= {"text", "text_special"}, token.content
            shown.append("".join(child.content for child in token.children or ()).replace(NO_WIDTH, ""))
    return shown


def html(markdown: str) -> Counter[str]:
    """The tags that a browser gets, except those of tables and text."""
    blocks = [token.content for token in GITHUB.parse(markdown) if token.type.startswith("html")]
    return Counter(re.findall(r"</?\w+", "".join(blocks)))


def test_what_the_report_says_is_there(plan: Plan) -> None:
    report = summarize(plan)
    shown = cells(render_markdown(report))

    for device in report.devices:
        assert device.id in shown
    for row in report.partitions:
        assert {row.id, row.first, row.last} <= set(shown)
    for cause in report.causes:
        assert {cause.label, cause.message, cause.fix, cause.example} <= set(shown)
    for each in report.displaced:
        assert {each.name, each.op_type, each.label, each.got, each.fix} <= set(shown)
    for transfer in report.transfers:
        assert transfer.tensor in shown
    assert "3, 16.4 kB + ? for 1 of symbolic size" in shown


def test_headline_and_folds(plan: Plan) -> None:
    text = render_markdown(summarize(plan))

    assert text.startswith("### face.onnx on some-npu:b2\n\n| device |")
    assert "<summary>3 causes why operators are not on npu</summary>" in text
    assert "<summary>4 operators not on npu, the slowest first</summary>" in text
    assert "- limit: 1 partition of the NPU was given back" in text
    assert html(text) == {"<details": 4, "<summary": 4, "</summary": 4, "</details": 4}


def test_nothing_is_said_of_what_is_not_there(plan: Plan) -> None:
    home = tuple(replace(each, device="npu", reason="", verdicts=()) for each in plan.operators)
    text = render_markdown(summarize(replace(plan, operators=home, transfers=(), notes=())))

    assert "not on npu" not in text
    assert "tensors that cross" not in text
    assert "| transfers | none |" in text


def test_figures_say_what_they_are(plan: Plan) -> None:
    predicted = Predicted(4.2, 5.0, 1.5, source="vendor estimate")
    text = render_markdown(summarize(replace(plan, predicted=predicted)))

    assert "| predicted | 4.2 ms, 1.5 mJ (times: vendor estimate, energies: modelled) |" in text


def test_batch_sizes_have_a_table(plan: Plan) -> None:
    one = replace(plan, batch=1, predicted=Predicted(4.0, 4.0, 1.0, source="modelled"))
    eight = as_variant(replace(one, predicted=Predicted(20.0, 20.0, 5.0, source="modelled")), 8, 1)

    shown = cells(render_markdown(summarize(replace(one, variants=(eight,)))))

    at = shown.index("8")
    assert shown[at : at + 5] == ["8", "1", "npu 2, cpu 4", "20", "5"]


def test_name_can_not_format_link_or_call_anybody(hostile: tuple[Plan, str]) -> None:
    changed, name = hostile
    text = render_markdown(summarize(changed))

    assert len(text) <= MOST_CHARACTERS
    assert html(text) == {"<details": 4, "<summary": 4, "</summary": 4, "</details": 4}
    assert not re.search(r"@\w|#\d|<a|<code|<h1|\x1b|\r", unescape(GITHUB.render(text)).replace("<h3", ""))
    assert "http://" not in text
    shown = cells(text)
    clipped = escape_shown(name)
    assert sum(clipped in cell for cell in shown) >= 5


def escape_shown(name: str) -> str:
    """The start of a name as a reader sees it: control characters as escapes."""
    return re.sub(r"[\x00-\x1f]", lambda found: found.group().encode("unicode_escape").decode(), name[:40])


def test_a_name_is_shown_as_it_is() -> None:
    for name in (
        "a_b*c",
        "x|y",
        "a\\|b",
        "`code`",
        "<b>",
        "&amp;",
        "~~x~~",
        "$x$",
        "![i](u)",
        "a@b.org",
        "#12",
        "www.x.org",
    ):
        assert cells(f"| a |\n| --- |\n| {escaped(name)} |\n") == ["a", name]


def test_a_huge_report_fits_a_comment(plan: Plan) -> None:
    figures = UnitFigures(1.0, 2.0, False, "modelled", (CostTerm("compute", 1.0, "us", "manual"),))
    first, *_ = (each for each in plan.operators if each.device == "cpu")
    many = tuple(
        replace(first, name=f"@{'|' * 300}{index}", unit=index, cost={"latency_us": float(index), "energy_uj": 1.0})
        for index in range(5000)
    )
    notes = tuple("#|@" * 200 for _ in range(300))
    transfers = tuple(replace(plan.transfers[0], tensor=f"{'@' * 500}{index}") for index in range(2000))
    variants: tuple[Variant, ...] = tuple(as_variant(replace(plan, batch=1), batch, batch) for batch in range(2, 200))
    huge = replace(plan, operators=many, transfers=transfers, notes=notes, costs=(figures,), batch=1, variants=variants)

    text = render_markdown(summarize(huge))

    assert len(text) <= MOST_CHARACTERS
    assert "<summary>5000 operators not on npu, the slowest first</summary>" in text
    assert re.search(r"\.\.\. and \d+ more; `inspect --format json` has all of them", text)
    tags = html(text)
    assert tags["<details"] == tags["</details"] == tags["<summary"] == 5


def test_times_of_a_second_have_no_exponent(plan: Plan) -> None:
    slow = tuple(replace(each, cost={"latency_us": 1234567.0, "energy_uj": 1.0}) for each in plan.operators)

    markdown = render_markdown(summarize(replace(plan, operators=slow)))

    assert "1234567" in cells(markdown)
    assert "e+0" not in markdown


def test_a_title_that_is_folded_is_text() -> None:
    (_, summary, *_) = folded("on <b>@octocat #1 www.example.org http://x</b> & co", [])

    assert "<b>" not in summary
    assert all(link not in summary for link in ("@octocat", "#1", "www.", "://"))
    shown = unescape(summary).replace("\u200b", "")
    assert shown == "<summary>on <b>@octocat #1 www.example.org http://x</b> & co</summary>"


def test_a_device_with_a_huge_name_fits_a_comment(plan: Plan) -> None:
    first, *rest = plan.devices
    name = "@" * MOST_CHARACTERS
    operators = tuple(replace(each, device=name if each.device == first.id else each.device) for each in plan.operators)

    markdown = render_markdown(summarize(replace(plan, devices=(replace(first, id=name), *rest), operators=operators)))

    assert len(markdown) <= MOST_CHARACTERS
    assert re.search(r"<summary>\d+ operators? not on @&#8203;@", markdown)
