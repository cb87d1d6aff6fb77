"""Budgets: what a plan may cost at most, and that it is no worse than an older one."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dovetail.plan import batches_of, for_batch
from dovetail.plan.errors import PlanError
from dovetail.plan.schema import Plan
from dovetail.plan.totals import npu_devices, plan_totals
from dovetail.report.diff import BatchDiff, Change, diff_plans
from dovetail.report.totals import Unit

_SLACK: Final = 1e-9
"""Relative; the last bits of a sum are not a regression."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A figure that can be bounded."""

    name: str
    """As on the command line: `max-partitions`."""
    figure: str
    """The field of `Totals`."""
    words: str
    """What the figure is."""
    unit: Unit
    least: bool
    """The figure must be at least the budget, not at most."""
    remedy: str
    """What to do where the figure is not known."""


_COSTS: Final = "compile the model again with a target that has a cost model"
BUDGETS: Final = (
    Budget("min-npu-ops", "npu_ops", "operators on the NPU", "share", True, "the plan has no operators"),
    Budget("min-npu-time", "npu_time", "predicted time on the NPU", "share", True, _COSTS),
    Budget("max-partitions", "partitions", "partitions", "count", False, ""),
    Budget(
        "max-boundary-bytes",
        "boundary_bytes",
        "bytes between devices",
        "B",
        False,
        "a tensor has a symbolic size; fix it with --dim or --shape when the model is compiled",
    ),
    Budget("max-latency-ms", "latency_ms", "predicted latency", "ms", False, _COSTS),
    Budget("max-energy-mj", "energy_mj", "predicted energy", "mJ", False, _COSTS),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One budget against one plan."""

    budget: str
    """`max-partitions`, or `baseline max-partitions` for the figure of the older plan."""
    words: str
    unit: Unit
    least: bool
    batch: int | None
    """None where the plan was not made for batch sizes."""
    limit: float
    value: float | None
    """None: not known; it does not hold then."""
    holds: bool
    baseline: float | None
    """The figure of the older plan, which the limit comes from; None for a budget that was given."""
    remedy: str
    """What to do where the figure is not known."""


@dataclass(frozen=True, slots=True)
class OffNpu:
    """An original node that ran on the NPU in the older plan and does not any more."""

    node: str
    op_type: str
    device: str
    reason: str
    batch: int | None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Every budget of a plan, in the order in which they are listed in `BUDGETS`, batch size by batch size."""

    model: str
    target: str
    source: str
    """Of the predicted figures: `modelled`, `vendor estimate`, `measured`, or `none` where there are none."""
    checks: tuple[Check, ...]
    off_npu: tuple[OffNpu, ...]
    """Empty without a baseline."""
    notes: tuple[str, ...]
    """What the two plans do not have in common, and what could not be compared."""

    @property
    def holds(self) -> bool:
        """Whether every budget holds."""
        return all(check.holds for check in self.checks)


def check_plan(
    plan: Plan, budgets: Mapping[str, float], baseline: Plan | None = None, tolerance: float = 0.0
) -> CheckReport:
    """Judge a plan by budgets, for each of its batch sizes.

    Args:
        plan: the plan.
        budgets: name of a budget in `BUDGETS` -> its limit; shares are 0 to 1, the rest ms, mJ, bytes and numbers.
        baseline: an older plan for the same target; no figure may be worse than in it.
        tolerance: by how many percent of the older figure one may be worse.

    Raises:
        PlanError: no budget and no baseline; a baseline for another target or other batch sizes.
    """
    if not budgets and baseline is None:
        raise PlanError(
            f"plan of '{plan.model.name}': there is no budget to check; give one of --"
            f"{', --'.join(each.name for each in BUDGETS)}, or --baseline OLD.plan, or write them into "
            "[tool.dovetail.check] of pyproject.toml"
        )
    checks = [check for batch, own in _by_batch(plan) for check in _budget_checks(own, budgets, batch)]
    if baseline is None:
        return CheckReport(plan.model.name, plan.target, plan.predicted.source, tuple(checks), (), ())
    _refuse_other(plan, baseline)
    notes: list[str] = []
    off_npu: list[OffNpu] = []
    difference = diff_plans(baseline, plan)
    for batch in difference.batches:
        checks += _baseline_checks(batch, tolerance)
        off_npu += _off_npu(batch, npu_devices(plan))
        notes += _not_compared(batch)
    notes += [f"the {fact.name}: {fact.after}, in the baseline {fact.before}" for fact in difference.facts]
    source = plan.predicted.source
    return CheckReport(plan.model.name, plan.target, source, tuple(checks), tuple(off_npu), tuple(notes))


def _by_batch(plan: Plan) -> Iterator[tuple[int | None, Plan]]:
    sizes = batches_of(plan)
    if not sizes:
        yield None, plan
    for size in sizes:
        yield size, for_batch(plan, size)


def _budget_checks(plan: Plan, budgets: Mapping[str, float], batch: int | None) -> Iterator[Check]:
    totals = plan_totals(plan)
    for budget in BUDGETS:
        if budget.name in budgets:
            yield _check(budget, batch, budgets[budget.name], getattr(totals, budget.figure), None)


def _baseline_checks(batch: BatchDiff, tolerance: float) -> Iterator[Check]:
    for budget in BUDGETS:
        before: float | None = getattr(batch.before, budget.figure)
        if before is not None:
            limit = before * (1 - tolerance / 100) if budget.least else before * (1 + tolerance / 100)
            if budget.unit in ("count", "B"):
                limit = math.floor(limit + _SLACK)  # the same bound, without a part of a partition
            yield _check(budget, batch.batch, limit, getattr(batch.after, budget.figure), before)


def _check(budget: Budget, batch: int | None, limit: float, value: float | None, baseline: float | None) -> Check:
    # the sign turns a figure that must be at least so much into one that may be at most so much
    sign = -1.0 if budget.least else 1.0
    return Check(
        budget=budget.name if baseline is None else f"baseline {budget.name}",
        words=budget.words,
        unit=budget.unit,
        least=budget.least,
        batch=batch,
        limit=limit,
        value=value,
        holds=value is not None and sign * (value - limit) <= _SLACK * abs(limit),
        baseline=baseline,
        remedy=budget.remedy if value is None else "",
    )


def _refuse_other(plan: Plan, baseline: Plan) -> None:
    if plan.target != baseline.target:
        raise PlanError(
            f"baseline: is for target '{baseline.target}', the plan for '{plan.target}'; give an older plan for the "
            "plan's target"
        )
    wanted, had = batches_of(plan), batches_of(baseline)
    if set(wanted) - set(had) or bool(wanted) != bool(had):
        raise PlanError(
            f"baseline: is for the batch sizes {_sizes(had)}, the plan for {_sizes(wanted)}; compile both with the "
            "same --batch"
        )


def _sizes(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes)) or "none"


def _off_npu(batch: BatchDiff, npus: frozenset[str]) -> Iterator[OffNpu]:
    for change in batch.moved:
        if _left(change, npus):
            assert change.after is not None
            after = change.after
            yield OffNpu(change.node, after.op_type, "+".join(after.devices), after.reason, batch.batch)


def _left(change: Change, npus: frozenset[str]) -> bool:
    """Whether some of the node was on an NPU, and something of it is now where nothing of it was."""
    if change.before is None or change.after is None:
        return False
    before, after = set(change.before.devices), set(change.after.devices)
    return bool(before & npus) and bool(after - npus - before)


def _not_compared(batch: BatchDiff) -> Iterator[str]:
    of_batch = "" if batch.batch is None else f" for batch {batch.batch}"
    for budget in BUDGETS:
        if getattr(batch.before, budget.figure) is None:
            yield f"{budget.words}{of_batch} can't be compared: not known in the baseline"
