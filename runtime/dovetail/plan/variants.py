"""The batch sizes of a plan."""

from dataclasses import fields, replace
from typing import Any, Final

from dovetail.plan.errors import PlanError
from dovetail.plan.schema import Plan, Variant

_OWN: Final = tuple(field.name for field in fields(Variant) if field.name not in ("batch", "placement"))
"""The fields of a plan that every batch size has of its own."""


def batches_of(plan: Plan) -> tuple[int, ...]:
    """The batch sizes that a plan was made for; none where it was made for the model as it is."""
    return () if plan.batch is None else (plan.batch, *(variant.batch for variant in plan.variants))


def as_variant(plan: Plan, batch: int, placement: int) -> Variant:
    """A plan as a variant of another one, for a batch size."""
    return Variant(batch=batch, placement=placement, **_own_fields(plan))


def for_batch(plan: Plan, batch: int) -> Plan:
    """The plan for one of its batch sizes, without the others.

    Raises:
        PlanError: it was not made for this size.
    """
    if batch == plan.batch:
        return replace(plan, variants=())
    for variant in plan.variants:
        if variant.batch == batch:
            model = replace(plan.model, bindings={**plan.model.bindings, "batch": str(batch)})
            return replace(plan, model=model, batch=batch, variants=(), **_own_fields(variant))
    made = ", ".join(map(str, batches_of(plan))) or "no batch size, but the model as it is"
    raise PlanError(f"plan of '{plan.model.name}': it was made for {made}, not for batch {batch}; compile with --batch")


def _own_fields(record: Plan | Variant) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _OWN}
