"""What is different between two plans, by the names of the user's own nodes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dovetail.plan import batches_of, for_batch
from dovetail.plan.causes import short_reason
from dovetail.plan.schema import Plan, PlanOperator
from dovetail.plan.totals import Totals, plan_totals


@dataclass(frozen=True, slots=True)
class Place:
    """Where an original node runs in one of the plans."""

    op_type: str
    devices: tuple[str, ...]
    """One, unless a pass made several operators of the node."""
    reason: str
    """Why it is not on the first device of the target; empty where it is."""
    latency_us: float | None
    """Of its unit, launch and transfers apart. None where the unit counts for another node, or nothing is predicted."""
    energy_uj: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """An original node that is not in both plans as it was."""

    node: str
    before: Place | None
    """None where the first plan does not run it."""
    after: Place | None
    folded: bool = False
    """The plan that does not run it folded it away when it was compiled; else the model has no such node."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something about the plans as a whole that is not the same: `target`, `model`, ..."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BatchDiff:
    """The difference for one batch size. Changes are ordered by how much the predicted time changes, then by name."""

    batch: int | None
    """None where the plans were not made for batch sizes, or share none."""
    before: Totals
    after: Totals
    moved: tuple[Change, ...]
    appeared: tuple[Change, ...]
    vanished: tuple[Change, ...]
    reasons: tuple[Change, ...]
    """On the same device as before, for another reason."""

    @property
    def empty(self) -> bool:
        """Whether the two are the same."""
        return self.before == self.after and not (self.moved or self.appeared or self.vanished or self.reasons)


@dataclass(frozen=True, slots=True)
class Diff:
    """The difference of two plans."""

    model: str
    """Of the second plan, as its target."""
    target: str
    source: str
    """Of its predicted figures: `modelled`, `vendor estimate`, `measured`, or `none` where there are none."""
    facts: tuple[Fact, ...]
    batches: tuple[BatchDiff, ...]
    """One for each batch size that both have; where they share none, one for the first of each."""

    @property
    def empty(self) -> bool:
        """Whether nothing differs: neither a fact nor a figure nor an operator."""
        return not self.facts and all(batch.empty for batch in self.batches)


def diff_plans(before: Plan, after: Plan) -> Diff:
    """Compare two plans. Plans of different models or targets are compared too; `Diff.facts` says so."""
    return Diff(
        model=after.model.name,
        target=after.target,
        source=after.predicted.source,
        facts=tuple(_facts(before, after)),
        batches=tuple(_batches(before, after)),
    )


def _facts(before: Plan, after: Plan) -> Iterator[Fact]:
    pairs = (
        ("model", before.model.name, after.model.name),
        ("content of the model (SHA-256)", before.model.sha256, after.model.sha256),
        ("target", before.target, after.target),
        ("objective", before.objective, after.objective),
        ("source of the figures", before.predicted.source, after.predicted.source),
        ("options", _options(before), _options(after)),
        ("batch sizes", _sizes(before), _sizes(after)),
    )
    for name, old, new in pairs:
        if old != new:
            yield Fact(name, old, new)


def _options(plan: Plan) -> str:
    return (
        " ".join(f"--{option.removeprefix('--')}={value}" for option, value in sorted(plan.model.bindings.items()))
        or "none"
    )


def _sizes(plan: Plan) -> str:
    return ", ".join(map(str, sorted(batches_of(plan)))) or "none"


def _batches(before: Plan, after: Plan) -> Iterator[BatchDiff]:
    shared = sorted(set(batches_of(before)) & set(batches_of(after)))
    for batch in shared:
        yield _batch(batch, for_batch(before, batch), for_batch(after, batch))
    if not shared:
        yield _batch(None, before, after)


def _batch(batch: int | None, before: Plan, after: Plan) -> BatchDiff:
    old, new = _places(before), _places(after)
    both = [Change(node, place, new[node]) for node, place in old.items() if node in new]
    folded_before, folded_after = frozenset(before.model.eliminated), frozenset(after.model.eliminated)
    appeared = [Change(node, None, place, node in folded_before) for node, place in new.items() if node not in old]
    vanished = [Change(node, place, None, node in folded_after) for node, place in old.items() if node not in new]
    return BatchDiff(
        batch=batch,
        before=plan_totals(before),
        after=plan_totals(after),
        moved=_ranked(change for change in both if _moved(change)),
        appeared=_ranked(appeared),
        vanished=_ranked(vanished),
        reasons=_ranked(change for change in both if not _moved(change) and _reason_changed(change)),
    )


def _moved(change: Change) -> bool:
    return change.before is not None and change.after is not None and change.before.devices != change.after.devices


def _reason_changed(change: Change) -> bool:
    return change.before is not None and change.after is not None and change.before.reason != change.after.reason


def _ranked(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (-abs(_gain_us(change)), change.node)))


def _gain_us(change: Change) -> float:
    before, after = (place.latency_us or 0.0 if place else 0.0 for place in (change.before, change.after))
    return after - before


def _places(plan: Plan) -> dict[str, Place]:
    """Return where every original node of the top graph runs; those in bodies run where their parent does."""
    members: dict[str, list[PlanOperator]] = {}
    for operator in plan.operators:
        if not operator.inside:
            for node in operator.origins or (operator.name,):
                members.setdefault(node, []).append(operator)
    order = [device.id for device in plan.devices]
    return {node: _place(node, operators, order) for node, operators in members.items()}


def _place(node: str, operators: list[PlanOperator], order: list[str]) -> Place:
    # a fused operator's cost must stand once, or a sum over nodes would count it for each of its origins
    costs = [operator.cost for operator in operators if operator.cost is not None and _stands_for(operator) == node]
    return Place(
        op_type="+".join(dict.fromkeys(operator.op_type for operator in operators)),
        devices=tuple(sorted({operator.device for operator in operators}, key=order.index)),
        reason="; ".join(dict.fromkeys(filter(None, map(short_reason, operators)))),
        latency_us=sum(cost["latency_us"] for cost in costs) if costs else None,
        energy_uj=sum(cost["energy_uj"] for cost in costs) if costs else None,
    )


def _stands_for(operator: PlanOperator) -> str:
    """Return the one original node that an operator's cost is shown at."""
    if not operator.origins or operator.name in operator.origins:
        return operator.name
    return operator.origins[0]
