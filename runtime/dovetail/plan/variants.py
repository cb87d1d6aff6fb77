"""The batch sizes of a plan."""

from dataclasses import replace

from dovetail.plan.errors import PlanError
from dovetail.plan.schema import Plan


def batches_of(plan: Plan) -> tuple[int, ...]:
    """The batch sizes that a plan was made for; none where it was made for the model as it is."""
    return () if plan.batch is None else (plan.batch, *(variant.batch for variant in plan.variants))


def for_batch(plan: Plan, batch: int) -> Plan:
    """The plan for one of its batch sizes, without the others.

    Raises:
        PlanError: it was not made for this size.
    """
    if batch == plan.batch:
        return replace(plan, variants=())
    for variant in plan.variants:
        if variant.batch == batch:
            bindings = {**plan.model.bindings, "batch": str(variant.batch)}
            return replace(
                plan,
                model=replace(plan.model, bindings=bindings),
                batch=variant.batch,
                predicted=variant.predicted,
                inputs=variant.inputs,
                outputs=variant.outputs,
                slots=variant.slots,
                partitions=variant.partitions,
                steps=variant.steps,
                operators=variant.operators,
                transfers=variant.transfers,
                costs=variant.costs,
                notes=variant.notes,
                variants=(),
            )
    made = ", ".join(map(str, batches_of(plan))) or "no batch size, but the model as it is"
    raise PlanError(f"plan of '{plan.model.name}': it was made for {made}, not for batch {batch}; compile with --batch")
