"""Two plans against each other, by the names of the model's nodes."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dovetail.plan import Plan, PlanDevice, PlanOperator, Predicted, as_variant
from dovetail.report.diff import BatchDiff, Change, Diff, Fact, diff_plans
from dovetail.report.diff_formats import LISTED, render_diff, render_diff_json, render_diff_markdown


def with_operator(plan: Plan, node: str, /, **fields: object) -> Plan:
    """The plan with other fields in one operator."""
    return replace(
        plan,
        operators=tuple(replace(each, **fields) if each.name == node else each for each in plan.operators),  # type: ignore[arg-type]
    )


def nodes(changes: tuple[Change, ...]) -> list[str]:
    return [change.node for change in changes]


def only(diff: Diff) -> BatchDiff:
    (batch,) = diff.batches
    return batch


class TestOperators:
    def test_plan_against_itself_is_empty(self, plan: Plan) -> None:
        diff = diff_plans(plan, plan)

        assert diff.empty
        assert only(diff).empty
        assert render_diff(diff, 100, color=False) == "no difference\n"
        assert json.loads(render_diff_json(diff))["empty"] is True
        assert "no difference" in render_diff_markdown(diff)

    def test_moved_operator_is_shown_with_places_reason_and_costs(self, plan: Plan) -> None:
        before = with_operator(plan, "relu_1", cost={"latency_us": 2.0, "energy_uj": 1.0})
        cost = {"latency_us": 9.0, "energy_uj": 20.0}
        after = with_operator(
            plan, "relu_1", device="cpu", partition="001-cpu", reason="'relu_1' (Relu): pinned", cost=cost
        )

        batch = only(diff_plans(before, after))

        (change,) = batch.moved
        assert change.before is not None
        assert change.after is not None
        assert (change.node, change.before.devices, change.after.devices) == ("relu_1", ("npu",), ("cpu",))
        assert (change.before.latency_us, change.after.latency_us, change.after.energy_uj) == (2.0, 9.0, 20.0)
        assert change.after.reason == "pinned"
        assert (batch.appeared, batch.vanished, batch.reasons) == ((), (), ())

    def test_fused_operator_moves_with_all_its_origins_and_costs_once(self, plan: Plan) -> None:
        before = with_operator(plan, "conv_1", cost={"latency_us": 5.0, "energy_uj": 1.0})
        after = with_operator(before, "conv_1", device="cpu", partition="001-cpu")

        moved = only(diff_plans(before, after)).moved

        costs = {change.node: change.before.latency_us for change in moved if change.before}
        assert costs == {"conv_1": 5.0, "bn_1": None}

    def test_node_that_became_two_operators_is_in_both_places(self, plan: Plan) -> None:
        half = replace(plan.operators[1], name="relu_1/b", device="cpu", partition="001-cpu", origins=("relu_1",))
        split = replace(plan, operators=(*plan.operators, half))

        (change,) = only(diff_plans(plan, split)).moved

        assert change.after is not None
        assert (change.node, change.after.devices) == ("relu_1", ("npu", "cpu"))

    def test_new_node_appears_and_lost_one_vanishes(self, plan: Plan) -> None:
        renamed = with_operator(plan, "relu_3", name="gelu_3")

        batch = only(diff_plans(plan, renamed))

        assert (nodes(batch.appeared), nodes(batch.vanished)) == (["gelu_3"], ["relu_3"])
        assert (batch.appeared[0].before, batch.vanished[0].after) == (None, None)
        assert not batch.appeared[0].folded

    def test_node_that_folds_away_is_told_from_one_that_is_gone(self, plan: Plan) -> None:
        kept = tuple(each for each in plan.operators if each.name != "relu_3")
        model = replace(plan.model, eliminated=(*plan.model.eliminated, "relu_3"))
        folded = replace(plan, operators=kept, model=model)

        (change,) = only(diff_plans(plan, folded)).vanished

        assert change.folded
        assert "folded away" in render_diff(diff_plans(plan, folded), 100, color=False)
        assert only(diff_plans(folded, plan)).appeared[0].folded

    def test_other_reason_on_the_same_device(self, plan: Plan) -> None:
        other = with_operator(plan, "relu_3", reason="'relu_3' (Relu): pinned by --place")

        batch = only(diff_plans(plan, other))

        (change,) = batch.reasons
        assert change.before is not None
        assert change.after is not None
        assert (change.before.reason, change.after.reason) == (
            "a partition of 1 operator is too small",
            "pinned by --place",
        )
        assert batch.moved == ()

    def test_operators_in_bodies_move_with_their_parent(self, plan: Plan) -> None:
        assert only(diff_plans(plan, with_operator(plan, "loop/add", device="npu"))).empty

    def test_largest_change_of_time_comes_first(self, plan: Plan) -> None:
        before, after = plan, plan
        for name, late in (("conv_2", 3.0), ("conv_3", 90.0)):
            before = with_operator(before, name, cost={"latency_us": 1.0, "energy_uj": 1.0})
            after = with_operator(
                after, name, device="npu", partition="000-npu", cost={"latency_us": late, "energy_uj": 1.0}
            )

        assert nodes(only(diff_plans(before, after)).moved) == ["conv_3", "conv_2"]


class TestPlans:
    def test_other_target_and_model_are_said(self, plan: Plan) -> None:
        other = replace(plan, target="other-npu", model=replace(plan.model, name="nose.onnx", sha256="cd" * 32))

        diff = diff_plans(plan, other)

        assert diff.facts[0] == Fact("model", "face.onnx", "nose.onnx")
        assert {fact.name for fact in diff.facts} == {"model", "content of the model (SHA-256)", "target"}
        assert not diff.empty
        assert "other-npu" in render_diff(diff, 100, color=False)

    def test_options_and_objective_are_said(self, plan: Plan) -> None:
        other = replace(plan, objective="energy", model=replace(plan.model, bindings={}))

        assert diff_plans(plan, other).facts == (
            Fact("objective", "greedy", "energy"),
            Fact("options", "--dim batch=1", "none"),
        )

    def test_many_times_more_is_a_whole_number(self, plan: Plan) -> None:
        before = replace(plan, predicted=Predicted(latency_ms=0.5, source="modelled"))
        after = replace(plan, predicted=Predicted(latency_ms=8.0, source="modelled"))

        assert "+1500 %" in render_diff(diff_plans(before, after), 100, color=False)

    def test_figures_before_and_after(self, plan: Plan) -> None:
        before = replace(plan, predicted=Predicted(latency_ms=4.0, energy_mj=10.0, source="modelled"))
        after = replace(plan, predicted=Predicted(latency_ms=3.0, energy_mj=10.0, source="modelled"))

        diff = diff_plans(before, after)
        text = render_diff(diff, 100, color=False)

        assert diff.source == "modelled"
        assert "predicted  modelled" in text.splitlines()
        assert "Predicted figures: modelled" in render_diff_markdown(diff)
        (line,) = (line for line in text.splitlines() if line.startswith("predicted latency"))
        assert line.split() == ["predicted", "latency", "4", "ms", "3", "ms", "-25", "%"]

    def test_batch_sizes_that_both_have_are_compared(self, plan: Plan) -> None:
        moved = with_operator(plan, "conv_2", device="npu", partition="000-npu")
        before = replace(plan, batch=1, variants=(as_variant(plan, 8, 0), as_variant(plan, 64, 0)))
        after = replace(plan, batch=8, variants=(as_variant(moved, 64, 1),))

        diff = diff_plans(before, after)

        assert [(batch.batch, nodes(batch.moved)) for batch in diff.batches] == [(8, []), (64, ["conv_2"])]
        assert Fact("batch sizes", "1, 8, 64", "8, 64") in diff.facts

    def test_plans_without_a_batch_size_in_common_are_compared_by_their_first(self, plan: Plan) -> None:
        diff = diff_plans(replace(plan, batch=1), replace(plan, batch=8))

        assert [batch.batch for batch in diff.batches] == [None]
        assert Fact("batch sizes", "1", "8") in diff.facts


class TestMarkdown:
    def test_moves_are_folded_below_a_table_of_figures(self, plan: Plan) -> None:
        other = with_operator(plan, "relu_1", device="cpu", partition="001-cpu", reason="'relu_1' (Relu): pinned")

        lines = render_diff_markdown(diff_plans(plan, other)).splitlines()

        assert "| operators on the NPU | 33.33 % | 16.67 % | -16.7 points |" in lines
        assert lines.index("<details>") > lines.index("| operators | 6 | 6 |  |")
        assert "<summary>1 operator moved</summary>" in lines
        assert "| relu\\_1 | Relu | npu | cpu | pinned |" in lines

    def test_columns_that_say_nothing_are_left_out(self, plan: Plan) -> None:
        there = with_operator(plan, "conv_2", device="npu", partition="000-npu", reason="")
        why, cost = "'relu_1' (Relu): pinned", {"latency_us": 9.0, "energy_uj": 20.0}
        both = with_operator(there, "relu_1", device="cpu", partition="001-cpu", reason=why, cost=cost)

        for render in (render_diff_markdown, lambda diff: render_diff(diff, 100, color=False)):
            (said_nothing,) = [line for line in render(diff_plans(plan, there)).splitlines() if "from" in line]
            assert said_nothing.replace("|", " ").split() == ["operator", "type", "from", "to"]
            (said,) = [line for line in render(diff_plans(plan, both)).splitlines() if "from" in line]
            assert "reason now" in said
            assert "us now" in said
            assert "us before" not in said

    def test_name_can_not_format_link_or_call_anybody(self, plan: Plan) -> None:
        evil = with_operator(plan, "relu_1", name="|</details>`@org/team`[x](http://y)\n# z")

        text = render_diff_markdown(diff_plans(plan, evil))

        assert text.count("</details>") == text.count("<details>")
        assert "\\|\\</details\\>\\`@&#8203;org/team\\`\\[x\\](http:\\//y)\\\\n#&#8203; z" in text

    def test_long_list_is_cut_and_says_so_except_in_json(self, plan: Plan) -> None:
        many = tuple(replace(plan.operators[0], name=f"n{index}", origins=()) for index in range(LISTED + 7))

        diff = diff_plans(plan, replace(plan, operators=(*plan.operators, *many)))
        markdown = render_diff_markdown(diff)

        for text in (markdown, render_diff(diff, 100, color=False)):
            assert "and 7 more; --format json lists all" in text
        assert len(markdown) < 65_536
        assert len(json.loads(render_diff_json(diff))["batches"][0]["appeared"]) == LISTED + 7


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
COSTS = st.none() | st.fixed_dictionaries(
    {"latency_us": st.floats(0, 1e6, allow_subnormal=False), "energy_uj": st.floats(0, 1e6)}
)


@st.composite
def operators(draw: st.DrawFn) -> tuple[PlanOperator, ...]:
    return tuple(
        PlanOperator(
            name=name,
            op_type=draw(st.sampled_from(["Conv", "Relu"])),
            domain="",
            device=draw(st.sampled_from(["npu", "gpu", "cpu"])),
            partition="000-npu",
            unit=0,
            verdicts=(),
            reason=draw(st.sampled_from(["", "r", "s"])),
            origins=tuple(draw(st.lists(NAMES, max_size=3, unique=True))),
            inside=draw(st.sampled_from(["", "", "", "loop"])),
            cost=draw(COSTS),
        )
        for name in draw(st.lists(NAMES, max_size=5, unique=True))
    )


def made(plan: Plan, operators: tuple[PlanOperator, ...], eliminated: tuple[str, ...], latency: float | None) -> Plan:
    gpu = PlanDevice("gpu", "gpu", "Some GPU", None)
    return replace(
        plan,
        devices=(plan.devices[0], gpu, plan.devices[1]),
        operators=operators,
        model=replace(plan.model, eliminated=eliminated),
        predicted=Predicted(latency_ms=latency),
    )


def turned(diff: Diff) -> Diff:
    return replace(
        diff,
        facts=tuple(Fact(fact.name, fact.after, fact.before) for fact in diff.facts),
        batches=tuple(
            BatchDiff(
                batch=batch.batch,
                before=batch.after,
                after=batch.before,
                moved=_turned(batch.moved),
                appeared=_turned(batch.vanished),
                vanished=_turned(batch.appeared),
                reasons=_turned(batch.reasons),
            )
            for batch in diff.batches
        ),
    )


def _turned(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(Change(change.node, change.after, change.before, change.folded) for change in changes)


@given(st.data())
def test_diff_turned_round_is_the_diff_of_the_plans_turned_round(plan: Plan, data: st.DataObject) -> None:
    sides = [
        made(
            plan,
            data.draw(operators()),
            tuple(data.draw(st.lists(NAMES, max_size=2))),
            data.draw(st.none() | st.floats(0, 9)),
        )
        for _ in range(2)
    ]

    there, back = diff_plans(*sides), diff_plans(*reversed(sides))

    assert turned(there) == back
    assert diff_plans(sides[0], sides[0]).empty
    assert there.empty == back.empty
