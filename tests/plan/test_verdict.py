"""The verdict of one screen, as text and as HTML."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dovetail.plan import (
    Alternative,
    Plan,
    PlanOperator,
    PlanVerdict,
    Predicted,
    Reason,
    device_totals,
    verdict_html,
    verdict_line,
    verdict_text,
)
from dovetail.plan.verdict import main_cause


def lines(plan: Plan) -> dict[str, str]:
    return {line[:12].strip(): line[12:] for line in verdict_text(plan).splitlines()}


class Cells(HTMLParser):
    """The texts of the cells, and the tags that were opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


@pytest.fixture
def foreseen(plan: Plan) -> Plan:
    """The plan with 2 ms for every partition, and an operator that the NPU does not take."""
    reason = Reason("dtype", "'tail' (Cast): dtype must be float16, got float64", "float64", "float16", fix="cast it")
    verdicts = (PlanVerdict("npu", "unsupported", (reason,)), PlanVerdict("cpu", "supported"))
    tail = PlanOperator("tail", "Cast", "", "cpu", plan.partitions[-1].id, 9, verdicts, reason.message)
    partitions = tuple(replace(each, predicted={"latency_ms": 2.0}) for each in plan.partitions)
    figures = Predicted(latency_ms=4.5, energy_mj=7.0, gap=0.01, source="modelled")
    return replace(plan, partitions=partitions, predicted=figures, operators=(*plan.operators, tail))


def test_devices_have_operators_partitions_and_time(foreseen: Plan) -> None:
    totals = {each.id: each for each in device_totals(foreseen)}

    for device, total in totals.items():
        own = [each for each in foreseen.partitions if each.device == device]
        assert (total.partitions, total.latency_ms) == (len(own), 2.0 * len(own))
    counted = sum(total.operators for total in totals.values())
    assert counted == sum(not each.inside for each in foreseen.operators)


def test_text_has_a_line_for_each_thing_there_is(foreseen: Plan) -> None:
    found = lines(foreseen)

    assert found["target"] == foreseen.target
    assert found["predicted"] == "4.5 ms, 7 mJ (modelled), proven to be at most 1 % above the optimum"
    assert found["time"].startswith("npu 2 ms (")
    assert found["time"].endswith(" %)")
    assert found["transfers"].startswith(f"{len(foreseen.transfers)}, ")


def test_a_plan_without_figures_gives_none(plan: Plan) -> None:
    bare = replace(plan, predicted=Predicted(), partitions=tuple(replace(p, predicted=None) for p in plan.partitions))

    assert {"time", "predicted"}.isdisjoint(lines(bare))
    assert [each.latency_ms for each in device_totals(bare)] == [None] * len(bare.devices)


def test_the_proof_of_another_placement_is_not_claimed(foreseen: Plan) -> None:
    concurrent = replace(foreseen, predicted=replace(foreseen.predicted, concurrent=True))

    assert lines(concurrent)["predicted"] == "4.5 ms, 7 mJ (modelled)"


def test_the_main_cause_names_rule_and_remedy(foreseen: Plan) -> None:
    cause = "DV104 dtype (1 operator): dtype must be float16, got float64; cast it"

    assert lines(foreseen)["not on npu"] == cause


@pytest.mark.parametrize(
    ("objective", "best"),
    [
        ("latency", "npu 5 ms, 20 mJ"),
        ("throughput", "npu 5 ms, 20 mJ"),
        ("energy", "cpu 9 ms, 8 mJ"),
        ("edp", "cpu 9 ms, 8 mJ"),
    ],
)
def test_the_best_single_device_is_that_by_the_objective(foreseen: Plan, objective: str, best: str) -> None:
    others = (
        Alternative("greedy", 1.0, 1.0),
        Alternative("all on npu", 5.0, 20.0),
        Alternative("all on cpu", 9.0, 8.0),
        Alternative("cpu first", 0.5, 0.5),
    )
    figures = replace(foreseen.predicted, alternatives=others)

    assert lines(replace(foreseen, objective=objective, predicted=figures))["best single"] == best


def test_the_line_says_it_all_at_once(foreseen: Plan) -> None:
    line = verdict_line(foreseen)

    assert "\n" not in line
    first, second, third, fourth, remedy = line.split("; ")
    share = "% of the devices' time"
    assert re.fullmatch(rf"\d+ operators: npu \d+ \(.* {share}\), cpu \d+ \(.* {share}\)", first)
    assert re.fullmatch(r"\d+ partitions?, \d+ transfers? of .*", second)
    assert third == "predicted 4.5 ms, 7 mJ (modelled), proven to be at most 1 % above the optimum"
    assert fourth == "top cause: DV104 dtype (1 operator): dtype must be float16, got float64"
    assert remedy == "cast it"


def test_the_line_of_a_plan_without_figures_counts_only(plan: Plan) -> None:
    bare = replace(plan, predicted=Predicted(), partitions=tuple(replace(p, predicted=None) for p in plan.partitions))

    assert re.match(r"\d+ operators?: \w+ \d+(, \w+ \d+)*; \d+ partition", verdict_line(bare))
    assert "predicted" not in verdict_line(bare)


def test_long_lines_are_broken_behind_their_word(foreseen: Plan) -> None:
    named = replace(foreseen, model=replace(foreseen.model, name="a " * 200 + "b" * 200))

    text = verdict_text(named)

    assert max(map(len, text.splitlines())) <= 100
    assert "".join(text.split("target")[0].split()[1:]) == "a" * 200 + "b" * 200


def test_notebooks_show_the_same_figures(foreseen: Plan) -> None:
    page = Cells(foreseen._repr_html_())

    assert page.open == []
    assert {"npu", "cpu", "2 ms"} <= set(page.cells)
    assert lines(foreseen)["predicted"] in page.cells
    assert lines(foreseen)["not on npu"] in page.cells


def test_the_table_is_self_contained_and_has_no_script(foreseen: Plan) -> None:
    text = verdict_html(foreseen)

    assert Cells(text).tags <= {"div", "style", "table", "caption", "thead", "tbody", "tr", "th", "td", "i"}
    assert all(word not in text for word in ("http", "url(", "@import", "src="))


def test_names_are_escaped_in_both_forms(foreseen: Plan) -> None:
    evil = replace(foreseen, model=replace(foreseen.model, name='<script>alert("1")</script>\x1b[31m'))

    assert "script" not in Cells(verdict_html(evil)).tags
    assert "&lt;script&gt;" in verdict_html(evil)
    assert "\x1b" not in verdict_html(evil) + verdict_text(evil)


def test_a_control_character_cuts_nothing_of_the_line(foreseen: Plan) -> None:
    plain, odd = (verdict_line(_refused(foreseen, f"reads{mark}a tensor")) for mark in (" ", "\u3000"))

    assert "reads a tensor" in plain
    assert odd == plain.replace("reads a tensor", "reads\\u3000a tensor")


def test_what_the_first_device_refuses_is_no_cause_against_another_that_takes_it(foreseen: Plan) -> None:
    plan = _refused(foreseen, "dtype must be float16")

    assert main_cause(plan) == "DV104 dtype (1 operator): dtype must be float16; cast it"
    assert main_cause(plan, "gpu") == "placement (1 operator): the placement put it on cpu"


def test_what_the_placement_chose_is_a_cause_against_every_device(foreseen: Plan) -> None:
    *_, tail = foreseen.operators
    pinned = Reason("pinned", "pinned by --place 'tail=cpu'", "cpu", "any", fix="take it away")
    verdicts = tuple(PlanVerdict(device, "supported") for device in ("npu", "gpu", "cpu"))
    plan = replace(foreseen, operators=(replace(tail, fallback=pinned, verdicts=verdicts),))

    assert main_cause(plan, "gpu") == main_cause(plan)
    assert "pinned by --place 'tail=cpu'" in main_cause(plan)


def _refused(plan: Plan, message: str) -> Plan:
    """The last operator alone, which the NPU refuses, and the GPU takes; it is on the CPU."""
    *_, tail = plan.operators
    reason = Reason("dtype", f"'tail' (Cast): {message}", "float64", "float16", fix="cast it")
    on_npu, on_cpu = tail.verdicts
    verdicts = (replace(on_npu, reasons=(reason,)), PlanVerdict("gpu", "supported"), on_cpu)
    return replace(plan, operators=(replace(tail, fallback=reason, reason=reason.message, verdicts=verdicts),))
