"""Batch sizes of a plan."""

from dataclasses import replace

import pytest

from dovetail.plan import (
    Plan,
    PlanError,
    Predicted,
    as_variant,
    batches_of,
    for_batch,
    plan_from_json,
    plan_to_json,
    validate,
)


@pytest.fixture
def batched(plan: Plan) -> Plan:
    """The plan for batch 1, with a variant for batch 8 that places everything as the plan itself does."""
    other = replace(plan, predicted=Predicted(8.0), notes=("for eight",))
    eight = as_variant(other, batch=8, placement=0)
    return replace(plan, batch=1, variants=(eight,))


def test_a_plan_for_the_model_as_it_is_has_no_batch_sizes(plan: Plan) -> None:
    assert batches_of(plan) == ()
    with pytest.raises(PlanError, match="made for no batch size, but the model as it is, not for batch 8"):
        for_batch(plan, 8)


def test_each_batch_size_is_a_plan_of_its_own(batched: Plan) -> None:
    assert batches_of(batched) == (1, 8)
    one, eight = for_batch(batched, 1), for_batch(batched, 8)
    assert (one.predicted, one.batch, one.variants) == (batched.predicted, 1, ())
    assert (eight.predicted.latency_ms, eight.notes, eight.batch) == (8.0, ("for eight",), 8)
    assert eight.model.bindings == {"batch": "8"}
    validate(eight)


def test_another_size_is_refused_by_name(batched: Plan) -> None:
    with pytest.raises(PlanError, match="made for 1, 8, not for batch 4; compile with --batch"):
        for_batch(batched, 4)


def test_variants_survive_the_file(batched: Plan) -> None:
    assert plan_from_json(plan_to_json(batched)) == batched


def test_variants_are_checked_as_plans_are(batched: Plan) -> None:
    validate(batched)
    broken = replace(batched.variants[0], steps=batched.steps[:1])
    with pytest.raises(PlanError, match="do not run every partition exactly once"):
        validate(replace(batched, variants=(broken,)))
    with pytest.raises(PlanError, match="stands more than once"):
        validate(replace(batched, variants=(replace(batched.variants[0], batch=1),)))
    with pytest.raises(PlanError, match="the plan itself has no batch size"):
        validate(replace(batched, batch=None))


def test_costs_and_orders_are_checked(plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"a cost is not in 0\.\."):
        validate(replace(plan, costs=()))
    first = replace(plan.partitions[0], after=("009-gpu",))
    with pytest.raises(PlanError, match="waits for a partition that is not there"):
        validate(replace(plan, partitions=(first, *plan.partitions[1:])))
