"""The figures of the report."""

import dataclasses

from dovetail.plan import Plan, Predicted
from dovetail.plan.codes import CODES
from dovetail.plan.schema import UnitFigures
from dovetail.report import Boundary, TransferTotals, render_text, summarize


def test_counts_operators_of_the_top_graph_per_device(plan: Plan) -> None:
    npu, cpu = summarize(plan).devices

    assert (npu.operators, cpu.operators) == (2, 4)
    assert (npu.partitions, cpu.partitions) == (1, 1)
    assert npu.share + cpu.share == 1
    assert (npu.has_backend, cpu.has_backend) == (False, True)


def test_transfers_of_symbolic_size_are_counted_apart(plan: Plan) -> None:
    assert summarize(plan).totals == TransferTotals(count=3, bytes=12288 + 4096, unknown=1)


def test_transfers_are_told_with_the_sum_of_their_predicted_times(plan: Plan) -> None:
    cost = {"latency_us": 250.0, "energy_uj": 1.0}
    timed = dataclasses.replace(plan, transfers=tuple(dataclasses.replace(each, cost=cost) for each in plan.transfers))

    assert summarize(timed).totals.latency_ms == 0.75
    text = render_text(summarize(timed))
    assert "transfers   3, 16.4 kB + ? for 1 of symbolic size, 0.75 ms" in text
    assert "us   read by" in text


def test_boundary_with_a_symbolic_tensor_has_no_size(plan: Plan) -> None:
    first, second = summarize(plan).partitions

    assert first.inputs == Boundary(1, 1 * 3 * 32 * 32 * 4)
    assert first.outputs == Boundary(1, 8 * 16 * 16 * 2)
    assert second.outputs == Boundary(1, None)
    assert (second.first, second.last) == ("conv_2", "loop")


def test_rules_stand_before_choices_ranked_by_operators_and_grouped_over_names_and_values(plan: Plan) -> None:
    causes = summarize(plan).causes

    assert [(cause.rule, cause.operators, cause.sole) for cause in causes] == [
        ("attr_range", 2, 2),
        ("op_list", 1, 1),
        ("placement", 1, 1),
    ]
    strides = causes[0]
    assert strides.message == "strides must be in [1, 3], got (4, 4)"
    assert strides.values == ("(4, 4)", "(5, 5)")
    assert strides.op_types == (("Conv", 2),)
    assert strides.fix == "use two convolutions"
    assert strides.example == "conv_2"


def test_an_operator_that_breaks_two_rules_counts_for_both_and_is_the_sole_one_of_none(plan: Plan) -> None:
    loop = plan.operators[5]
    conv = plan.operators[2]
    both = dataclasses.replace(loop.verdicts[0], reasons=(*loop.verdicts[0].reasons, *conv.verdicts[0].reasons))
    broken = dataclasses.replace(loop, verdicts=(both, loop.verdicts[1]))
    operators = (*plan.operators[:5], broken, plan.operators[6])

    causes = {cause.rule: cause for cause in summarize(dataclasses.replace(plan, operators=operators)).causes}

    assert (causes["op_list"].operators, causes["op_list"].sole) == (1, 0)


def test_bodies_are_listed_under_their_operator(plan: Plan) -> None:
    (body,) = summarize(plan).bodies

    assert (body.parent, body.parent_type, body.op_types) == ("loop", "Loop", (("Add", 1),))


def test_notes_hold_the_plans_and_what_runs_nowhere_and_what_is_doubtful(plan: Plan) -> None:
    given, nowhere, doubtful = summarize(plan).notes

    assert given == plan.notes[0]
    assert nowhere.startswith("npu (Some NPU) runs on no host")
    assert doubtful.startswith("2 verdicts on npu from facts of low confidence")


def test_sizes_that_are_not_known_are_noted_of_the_device_that_computes_them(plan: Plan) -> None:
    figures = UnitFigures(latency_us=1.0, energy_uj=1.0, assumed=True, source="modelled", terms=())
    conv, relu = plan.operators[:2]
    here, elsewhere = (
        dataclasses.replace(
            each,
            verdicts=tuple(
                dataclasses.replace(v, cost=0 if (v.device == each.device) == own else None) for v in each.verdicts
            ),
        )
        for each, own in ((conv, True), (relu, False))
    )
    known = dataclasses.replace(plan, operators=(elsewhere, *plan.operators[2:]), costs=(figures,))
    unknown = dataclasses.replace(plan, operators=(here, elsewhere, *plan.operators[2:]), costs=(figures,))

    assert summarize(known).notes == summarize(plan).notes
    (note,) = set(summarize(unknown).notes) - set(summarize(plan).notes)
    assert note.startswith("of 1 operator a size or a number of iterations is not known and counts as 1")


def test_a_displaced_operator_has_what_decided_with_the_value_and_what_to_do(plan: Plan) -> None:
    found = {each.name: each for each in summarize(plan).displaced}

    assert (found["conv_3"].label, found["conv_3"].got) == ("DV114 attr_range", "(5, 5)")
    assert found["conv_3"].fix == "use two convolutions"
    assert (found["loop"].label, found["loop"].got) == ("DV101 op_list", "Loop")
    assert found["loop"].fix == CODES[0].fix


def test_a_displaced_operator_that_breaks_several_rules_is_told_by_the_first(plan: Plan) -> None:
    conv, loop = plan.operators[2], plan.operators[5]
    reasons = (*conv.verdicts[0].reasons, *loop.verdicts[0].reasons)
    both = dataclasses.replace(
        conv, verdicts=(dataclasses.replace(conv.verdicts[0], reasons=reasons), conv.verdicts[1])
    )
    report = summarize(dataclasses.replace(plan, operators=(*plan.operators[:2], both, *plan.operators[3:])))

    (row,) = [each for each in report.displaced if each.name == "conv_2"]
    assert (row.reason, row.others) == ("strides must be in [1, 3], got (4, 4)", 1)
    assert "attr_range: strides must be in [1, 3], got (4, 4) (and 1 other rule)" in " ".join(
        render_text(report).split()
    )


def test_displaced_operators_stand_by_what_their_units_take(plan: Plan) -> None:
    times = {1: 3.0, 2: 9.0, 4: 5.0}
    timed = [
        dataclasses.replace(each, cost={"latency_us": times[each.unit], "energy_uj": 1.0})
        if each.unit in times
        else each
        for each in plan.operators
    ]

    found = summarize(dataclasses.replace(plan, operators=tuple(timed))).displaced

    assert [(each.name, each.latency_us) for each in found] == [
        ("conv_3", 9.0),
        ("loop", 5.0),
        ("conv_2", 3.0),
        ("relu_3", None),
    ]


def test_a_plan_of_an_older_schema_is_told_by_its_verdicts_and_words(plan: Plan) -> None:
    old = dataclasses.replace(
        plan, operators=tuple(dataclasses.replace(each, fallback=None) for each in plan.operators)
    )

    found = {each.name: each for each in summarize(old).displaced}

    assert found["conv_3"].label == "DV114 attr_range"
    assert (found["relu_3"].label, found["relu_3"].reason) == ("placement", "a partition of 1 operator is too small")


def test_displaced_are_all_that_are_not_on_the_first_device(plan: Plan) -> None:
    assert [each.name for each in summarize(plan).displaced] == ["conv_2", "conv_3", "relu_3", "loop"]


def test_plan_without_operators_has_shares_of_zero(plan: Plan) -> None:
    empty = dataclasses.replace(plan, operators=(), partitions=(), transfers=(), predicted=Predicted())

    report = summarize(empty)

    assert [device.share for device in report.devices] == [0, 0]
    assert report.causes == ()
