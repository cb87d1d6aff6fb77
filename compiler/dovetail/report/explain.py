"""Why one operator is where it is: every device's verdict, and what stands around it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from dovetail.plan.causes import nameless_message, placement_reason
from dovetail.plan.codes import label, remedy
from dovetail.plan.schema import (
    OBJECTIVE_UNITS,
    Plan,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    Reason,
    TensorSpec,
    UnitFigures,
)
from dovetail.report.console import DIM, KIND_STYLE, STATE_STYLE, STRONG, draw, fields, words
from dovetail.report.figures import amount, source_words
from dovetail.report.find import Match
from dovetail.report.text import WIDTH
from dovetail.report.whatif import pin_rows
from dovetail.report.words import counted, shape_text, size_text, tensor_bytes

if TYPE_CHECKING:  # it loads ONNX, which the report of a plan does without
    from dovetail.compiler.counterfactual import Pin

MAX_NAMES = 8
"""Names listed in one line before the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A partition that gives tensors to another one, or takes them."""

    partition: str
    tensors: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An operator with its surroundings. `partition` is None for an operator of no known partition."""

    operator: PlanOperator
    unit: tuple[str, ...]
    """The other operators of its unit: they stay together."""
    bodies: tuple[PlanOperator, ...]
    """The operators in its bodies, where it is an If, Loop or Scan."""
    partition: PlanPartition | None
    size: int
    """Number of operators of the partition, those in bodies not counted."""
    before: tuple[Neighbour, ...]
    """Partitions whose outputs its partition reads; `model input` for tensors that the caller feeds."""
    after: tuple[Neighbour, ...]


def explain_operators(plan: Plan, operators: Sequence[PlanOperator]) -> Iterator[Explanation]:
    """Yield what `plan` says about some of its operators; what is asked for all of them is gathered once."""
    units: dict[tuple[int, str], list[str]] = {}
    bodies: dict[str, list[PlanOperator]] = {}
    for each in plan.operators:
        units.setdefault((each.unit, each.inside), []).append(each.name)
        bodies.setdefault(each.inside, []).append(each)
    sizes = Counter(each.partition for each in bodies.get("", ()))
    partitions = {each.id: each for each in plan.partitions}
    wanted = {each.partition for each in operators} & partitions.keys()
    around = {name: (_sources(plan, partitions[name]), _readers(plan, partitions[name])) for name in wanted}
    for operator in operators:
        before, after = around.get(operator.partition, ((), ()))
        yield Explanation(
            operator=operator,
            unit=tuple(name for name in units[operator.unit, operator.inside] if name != operator.name),
            bodies=tuple(bodies.get(operator.name, ())),
            partition=partitions.get(operator.partition),
            size=sizes[operator.partition],
            before=before,
            after=after,
        )


def render_explanations(
    plan: Plan,
    match: Match,
    width: int = WIDTH,
    color: bool = False,
    pins: "Mapping[int, tuple[Pin, ...]] | None" = None,
) -> str:
    """Return the explanations of all operators of `match` as text.

    Args:
        plan: it holds the operators.
        match: which of them.
        width: columns.
        color: whether there are colours.
        pins: for units what other devices would cost; None where nobody can solve that, as of a plan alone.
    """
    parts: list[RenderableType] = []
    for each in explain_operators(plan, match.operators):
        parts += [*_explanation(plan, each), *_pinned(plan, each.operator, pins or {}), Text()]
    for name in match.eliminated:
        parts.append(words((name, STRONG), " folded away at compile time: no device runs it"))
    parts += _not_pinned(match, pins)
    return draw(parts, width, color)


def _sources(plan: Plan, partition: PlanPartition) -> tuple[Neighbour, ...]:
    made_by = {tensor.name: each.id for each in plan.partitions for tensor in each.outputs}
    return _grouped((made_by.get(tensor.name, "model input"), tensor) for tensor in partition.inputs)


def _readers(plan: Plan, partition: PlanPartition) -> tuple[Neighbour, ...]:
    made_here = {tensor.name: tensor for tensor in partition.outputs}
    read_by = [(each.id, tensor) for each in plan.partitions for tensor in each.inputs if tensor.name in made_here]
    results = [("model output", tensor) for tensor in plan.outputs if tensor.name in made_here]
    return _grouped([*read_by, *results])


def _grouped(pairs: Iterable[tuple[str, TensorSpec]]) -> tuple[Neighbour, ...]:
    groups: dict[str, list[TensorSpec]] = {}
    for partition, tensor in pairs:
        groups.setdefault(partition, []).append(tensor)
    return tuple(Neighbour(partition, tuple(tensors)) for partition, tensors in groups.items())


def _explanation(plan: Plan, explanation: Explanation) -> Iterator[RenderableType]:
    operator = explanation.operator
    domain = f"{operator.domain}." if operator.domain else ""
    yield words((operator.name, STRONG), f"  ({domain}{operator.op_type})")
    yield fields(_placement(plan, explanation), indent=2)
    for verdict in operator.verdicts:
        yield from _verdict(operator, verdict)
        if verdict.cost is not None:
            yield from _costs(plan.costs[verdict.cost])


def _placement(plan: Plan, explanation: Explanation) -> Iterator[tuple[str, RenderableType]]:
    operator = explanation.operator
    kinds = {device.id: device.kind for device in plan.devices}
    place = f", unit {operator.unit}"
    if explanation.partition:
        size = counted(explanation.size, "operator")
        place = f", partition {explanation.partition.id} of {size}{place}"
    yield "placed on", words((operator.device, KIND_STYLE[kinds[operator.device]]), place)
    yield from _because(plan, operator)
    if operator.inside:
        yield "inside", words(f"a body of '{operator.inside}'")
    if explanation.bodies:
        yield (
            "bodies hold",
            words(_listed(tuple(f"{each.name} ({each.op_type})" for each in explanation.bodies))),
        )
    if set(operator.origins) - {operator.name}:
        yield "made from", words(_listed(operator.origins))
    if explanation.unit:
        yield "stays with", words(_listed(explanation.unit))
    for word, neighbours in (("partition reads", explanation.before), ("partition feeds", explanation.after)):
        for index, neighbour in enumerate(neighbours):
            yield word if index == 0 else "", words(_neighbour(neighbour))


def _because(plan: Plan, operator: PlanOperator) -> Iterator[tuple[str, RenderableType]]:
    """Yield what decided, with its code, and what to do where no verdict below says it."""
    why = operator.fallback
    if why is None:
        yield "because", words(placement_reason(operator) or f"{operator.device} is the first device of {plan.target}")
        return
    yield "because", words((label(why.code, why.rule), STRONG), f": {nameless_message(operator, why.message)}")
    if all(why not in verdict.reasons for verdict in operator.verdicts):
        yield "fix", words(remedy(why.code, why.fix))


def _neighbour(neighbour: Neighbour) -> str:
    tensors = tuple(
        f"{tensor.name} {tensor.dtype} {shape_text(tensor.shape)} ({size_text(tensor_bytes(tensor))})"
        for tensor in neighbour.tensors
    )
    return f"{neighbour.partition}: {_listed(tensors)}"


def _listed(names: tuple[str, ...]) -> str:
    rest = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _verdict(operator: PlanOperator, verdict: PlanVerdict) -> Iterator[RenderableType]:
    engine = f" (engine {verdict.engine})" if verdict.engine else ""
    yield words(f"  on {verdict.device}: ", (verdict.state, STATE_STYLE[verdict.state]), engine)
    for reason in verdict.reasons:
        sentence = nameless_message(operator, reason.message)
        yield Padding(words((label(reason.code, reason.rule), STRONG), f": {sentence}"), (0, 0, 0, 4))
        yield fields(_facts(reason), indent=6)


def _pinned(plan: Plan, operator: PlanOperator, pins: "Mapping[int, tuple[Pin, ...]]") -> Iterator[RenderableType]:
    """Yield what the whole model would cost with the operator elsewhere."""
    if operator.inside or operator.unit not in pins:
        return
    if pins[operator.unit]:
        yield words(f"  pinned elsewhere, the whole model has ({plan.objective} {_as_it_is(plan)} as it is):")
        yield fields(pin_rows(pins[operator.unit], plan.predicted.value, plan.objective), indent=4)
    else:
        yield words("  pinned elsewhere: no other device takes it")


def _not_pinned(match: Match, pins: "Mapping[int, tuple[Pin, ...]] | None") -> Iterator[RenderableType]:
    """Yield why it is not said what other devices would cost."""
    if pins is None and match.operators:
        yield words(
            ("what pins would cost needs the graph, which a plan does not hold: explain the model instead", DIM)
        )
    elif any(operator.unit not in (pins or {}) for operator in match.operators):
        yield words(("what pins would cost is not placed again for so many operators: name fewer", DIM))


def _as_it_is(plan: Plan) -> str:
    return amount(plan.predicted.value, OBJECTIVE_UNITS.get(plan.objective, ""))


def _costs(figures: UnitFigures) -> Iterator[RenderableType]:
    """Yield what the operator's unit costs on a device, and the arithmetic."""
    doubt = "; a size or a number of iterations is not known and counts as 1" if figures.assumed else ""
    what = source_words(figures.source)
    yield words(f"    costs {figures.latency_us:.4g} us, {figures.energy_uj:.4g} uJ ({what}{doubt})")
    yield fields(
        ((term.name, words(f"{term.value:.4g} {term.unit} = {term.source}")) for term in figures.terms), indent=6
    )


def _facts(reason: Reason) -> Iterator[tuple[str, RenderableType]]:
    if reason.got:
        yield "got", words(reason.got)
    if reason.allowed:
        yield "allowed", words(reason.allowed)
    if reason.source:
        yield "source", words(reason.source, (f" [confidence {reason.confidence}]", DIM))
    if fix := remedy(reason.code, reason.fix):
        yield "fix", words(fix)
