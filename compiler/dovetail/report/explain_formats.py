"""What is to be said of operators as one JSON document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dovetail.plan.causes import unit_costs
from dovetail.plan.schema import Plan, PlanVerdict, Reason, State, UnitFigures
from dovetail.report.document import render_record
from dovetail.report.explain import Explanation, explain_operators
from dovetail.report.find import Match

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Pin

EXPLAIN_VERSION: Final = 1
"""Of the JSON document."""


@dataclass(frozen=True, slots=True)
class PinnedThere:
    """What the whole model would cost with the operator's unit pinned to a device, placed again."""

    value: float | None
    """Of the objective, in the plan's unit; None where no placement is found."""
    refusal: str
    """Why there is none."""
    granted: bool
    """The device does not take the unit: this is the value if it did, wherever the unit is best then."""


@dataclass(frozen=True, slots=True)
class OnDevice:
    """An operator on one device of the target."""

    device: str
    state: State
    engine: str
    reasons: tuple[Reason, ...]
    figures: UnitFigures | None
    """What its unit costs there, with the arithmetic; None where the device does not take it, and in bodies."""
    pinned: PinnedThere | None
    """None where it is placed, and where nothing was placed again: of a plan, and of many operators."""


@dataclass(frozen=True, slots=True)
class ExplainedOperator:
    """An operator, and why it is where it is."""

    name: str
    op_type: str
    domain: str
    device: str
    partition: str
    unit: int
    stays_with: tuple[str, ...]
    """The other operators of its unit."""
    inside: str
    """Name of the operator whose body holds it; empty at the top."""
    bodies: tuple[str, ...]
    """Names of the operators in its bodies."""
    origins: tuple[str, ...]
    """Names of the original nodes, where a pass made it from several or renamed it."""
    fallback: Reason | None
    """What decided that it is not on the first device; None where it is there."""
    latency_us: float | None
    """Predicted, of its unit where it is; None where the plan has no figures."""
    energy_uj: float | None
    devices: tuple[OnDevice, ...]
    """One for every device, in the target's order."""


@dataclass(frozen=True, slots=True)
class Explanations:
    """The operators that were asked for."""

    model: str
    target: str
    objective: str
    value: float | None
    """Of the objective as the model is placed, in the plan's unit."""
    operators: tuple[ExplainedOperator, ...]
    eliminated: tuple[str, ...]
    """Original nodes among them that folded away."""


def render_explanations_json(plan: Plan, match: Match, pins: "Mapping[int, tuple[Pin, ...]] | None" = None) -> str:
    """Return the explanations of all operators of `match` as one JSON document, fields as in `Explanations`.

    Args:
        plan: it holds the operators.
        match: which of them.
        pins: for units what other devices would cost; None where nobody can solve that, as of a plan alone.
    """
    costs, known = unit_costs(plan), pins or {}
    record = Explanations(
        model=plan.model.name,
        target=plan.target,
        objective=plan.objective,
        value=plan.predicted.value,
        operators=tuple(
            _operator(plan, each, costs.get(each.operator.unit, {}), known.get(each.operator.unit, ()))
            for each in explain_operators(plan, match.operators)
        ),
        eliminated=match.eliminated,
    )
    return render_record(record, EXPLAIN_VERSION)


def _operator(plan: Plan, around: Explanation, cost: Mapping[str, float], pins: "tuple[Pin, ...]") -> ExplainedOperator:
    operator = around.operator
    values = {} if operator.inside else {pin.device: _pinned(pin) for pin in pins}
    return ExplainedOperator(
        name=operator.name,
        op_type=operator.op_type,
        domain=operator.domain,
        device=operator.device,
        partition=operator.partition,
        unit=operator.unit,
        stays_with=around.unit,
        inside=operator.inside,
        bodies=tuple(each.name for each in around.bodies),
        origins=operator.origins,
        fallback=operator.fallback,
        latency_us=cost.get("latency_us"),
        energy_uj=cost.get("energy_uj"),
        devices=tuple(_on_device(plan, verdict, values.get(verdict.device)) for verdict in operator.verdicts),
    )


def _pinned(pin: "Pin") -> PinnedThere:
    return PinnedThere(pin.value, pin.refusal, pin.granted)


def _on_device(plan: Plan, verdict: PlanVerdict, pinned: PinnedThere | None) -> OnDevice:
    figures = None if verdict.cost is None else plan.costs[verdict.cost]
    return OnDevice(verdict.device, verdict.state, verdict.engine, verdict.reasons, figures, pinned)
