"""What must be shown of each kind of rule: an operator just inside of every limit, and one just outside."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Final, Literal

from dovetail.targets.examples.draft import Draft, Fill, Knob, Place, Quant
from dovetail.targets.examples.knobs import Choices, choices_of, place_of, places_of
from dovetail.targets.rules.attribute import AttrAbsentRule, AttrInRule, AttrNotInRule, AttrRangeRule, AxisInRule
from dovetail.targets.rules.base import Rule
from dovetail.targets.rules.bounds import Bounds
from dovetail.targets.rules.constant import ConstInputRule, ConstValueRule
from dovetail.targets.rules.count import BroadcastRule, InputCountRule, OutputCountRule
from dovetail.targets.rules.dimension import DimensionRule, DimInRule, DimMultipleRule, DimRangeRule
from dovetail.targets.rules.dtype import DtypeRule
from dovetail.targets.rules.pattern import OnlyInPatternRule
from dovetail.targets.rules.platform import ArchRule, LoweringRule, ModeInRule, OpsetRule
from dovetail.targets.rules.predicate import PredicateRule, TableRule
from dovetail.targets.rules.quant import QuantRule
from dovetail.targets.rules.shape import NoZeroDimRule, RankRule, StaticShapeRule

Outcome = Literal["holds", "broken", "unknown"]

_OTHER_TYPES: Final = ("float64", "int64", "uint16", "complex64", "string")


@dataclass(frozen=True, slots=True)
class Goal:
    """An operator to find: what is set, what may be varied, and what the rule must say."""

    label: str
    expected: Outcome
    pins: dict[Knob, Any] = field(default_factory=dict)
    free: Choices = field(default_factory=dict)


def edges(bounds: Bounds, step: float = 1, least: float | None = None) -> Iterator[tuple[str, Any, Outcome]]:
    """Yield the values on both sides of each limit; those below `least` can't be had."""
    for name, limit, excluded, outward in (
        ("min", bounds.min, bounds.exclusive_min, -step),
        ("max", bounds.max, bounds.exclusive_max, step),
    ):
        if limit is None:
            continue
        inside, outside = (limit - outward, limit) if excluded else (limit, limit + outward)
        for side, value in (("inside", inside), ("outside", outside)):
            if least is None or value >= least:
                expected: Outcome = "holds" if bounds.within(value) else "broken"
                yield f"just {side} {name}", int(value) if float(value).is_integer() and step == 1 else value, expected


@singledispatch
def goals_of(rule: Rule, draft: Draft) -> Iterator[Goal]:
    """Yield what must be shown of `rule`; nothing for kinds that can't be broken."""
    return iter(())


def _each(places: list[Place], what: str, value: Any) -> dict[Knob, Any]:
    return {(what, place): value for place in places}


@goals_of.register
def _dtype(rule: DtypeRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    for name in rule.allowed:
        yield Goal(name, "holds", _each(places, "dtype", name))
    rewritten = {old for old, new in draft.context.dtype_rewrite.items() if new in rule.allowed}
    others = [name for name in _OTHER_TYPES if name not in rewritten.union(rule.allowed)]
    pins, free = _each(places[1:], "dtype", rule.allowed[0]), {("dtype", place): others for place in places[:1]}
    yield Goal("another type", "broken", pins, dict(free))


@goals_of.register
def _rank(rule: RankRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    for label, rank, expected in edges(rule, least=0):
        yield Goal(label, expected, _each(places, "shape", (2,) * rank))


@goals_of.register
def _static(rule: StaticShapeRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    position = next(index for index in range(9) if index not in rule.except_dims)
    yield Goal("numbers", "holds", _each(places, "shape", (2,) * (position + 1)))
    yield Goal("a symbol", "unknown", _each(places, "shape", ("n",) * (position + 1)))


@goals_of.register
def _no_zero(rule: NoZeroDimRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    yield Goal("size 1", "holds", _each(places, "shape", (1, 1)))
    yield Goal("size 0", "broken", _each(places, "shape", (1, 0)))


@goals_of.register
def _const_input(rule: ConstInputRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.inputs, draft.words)
    yield Goal("constant", "holds", _each(places, "const", Fill(1.0)))
    yield Goal("variable", "broken", _each(places, "const", None))


@goals_of.register
def _const_value(rule: ConstValueRule, draft: Draft) -> Iterator[Goal]:
    values: list[tuple[str, Any, Outcome]]
    if rule.equal is not None or rule.none_equal is not None:
        value = rule.equal if rule.equal is not None else rule.none_equal
        other = f"{value}x" if isinstance(value, str) else (value or 0) + 1
        same: Outcome = "holds" if rule.equal is not None else "broken"
        values = [("the value", value, same), ("another", other, "broken" if same == "holds" else "holds")]
    elif rule.allowed:
        values = [(str(value), value, "holds") for value in rule.allowed]
        values.append(("another", max(rule.allowed) + 1, "broken"))
    else:
        values = list(edges(rule))
    places = places_of(rule.tensor, draft.words)
    for label, value, expected in values:
        yield Goal(label, expected, _each(places, "const", (value,)))


@goals_of.register
def _attr_in(rule: AttrInRule, draft: Draft) -> Iterator[Goal]:
    for value in rule.values:
        yield Goal(str(value), "holds", {("attr", rule.attr): (value, value) if rule.elementwise else value})
    other = _another(rule.values)
    yield Goal(str(other), "broken", {("attr", rule.attr): (other, other) if rule.elementwise else other})


@goals_of.register
def _attr_not_in(rule: AttrNotInRule, draft: Draft) -> Iterator[Goal]:
    for value in rule.values:
        yield Goal(str(value), "broken", {("attr", rule.attr): value})
    yield Goal("another", "holds", {("attr", rule.attr): _another(rule.values)})


def _another(values: tuple[Any, ...]) -> Any:
    numbers = [value for value in values if isinstance(value, int | float)]
    if numbers:
        return max(numbers) + 1
    return (*values[0], "other") if isinstance(values[0], tuple) else "other"


@goals_of.register
def _attr_absent(rule: AttrAbsentRule, draft: Draft) -> Iterator[Goal]:
    yield Goal("absent", "holds", {("attr", name): None for name in rule.attrs})
    for name in rule.attrs:
        yield Goal(f"{name} given", "broken", {("attr", name): 1})


@goals_of.register
def _attr_range(rule: AttrRangeRule, draft: Draft) -> Iterator[Goal]:
    kind = draft.words.attributes.get(rule.attr, "INT")
    counts = {"pads": 4}
    for label, value, expected in edges(rule, step=1e-3 if kind.startswith("FLOAT") else 1):
        many = kind in ("INTS", "FLOATS")
        yield Goal(label, expected, {("attr", rule.attr): (value,) * counts.get(rule.attr, 2) if many else value})


@goals_of.register
def _axis_in(rule: AxisInRule, draft: Draft) -> Iterator[Goal]:
    ranks: Choices = {("rank", ("input", 0)): [4, 3, 5, 2, 6]}
    knob = ("attr", rule.attr)
    for value in rule.values:
        yield Goal(f"axis {value}", "holds", {knob: value if rule.attr == "axis" else (value,)}, ranks)
    others = [axis if rule.attr == "axis" else (axis,) for axis in range(5)]
    yield Goal("another axis", "broken", {}, {knob: others, **ranks})


def _dimension(rule: DimensionRule, draft: Draft, values: list[tuple[str, Any, Outcome]]) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    free: Choices = {("rank", place): [4, 5, 3, 2, 1] for place in places}
    fixed: dict[Knob, Any] = {("attr", "axis"): 1} if rule.dim == "axis" else {}
    axes = place_of("axes", draft.words)
    if rule.dim == "reduced" and axes is not None:
        fixed = {("const", axes): (0, 1)}
    for label, value, expected in values:
        pins: dict[Knob, Any] = {("dim", place, rule.dim): value for place in places}
        yield Goal(label, expected, pins | fixed, free)


@goals_of.register
def _dim_range(rule: DimRangeRule, draft: Draft) -> Iterator[Goal]:
    yield from _dimension(rule, draft, list(edges(rule, least=0)))


@goals_of.register
def _dim_multiple(rule: DimMultipleRule, draft: Draft) -> Iterator[Goal]:
    yield from _dimension(
        rule, draft, [("once", rule.of, "holds"), ("twice", 2 * rule.of, "holds"), ("one more", rule.of + 1, "broken")]
    )


@goals_of.register
def _dim_in(rule: DimInRule, draft: Draft) -> Iterator[Goal]:
    values: list[tuple[str, Any, Outcome]] = [(str(size), size, "holds") for size in rule.of]
    yield from _dimension(rule, draft, [*values, ("another", max(rule.of) + 1, "broken")])


@goals_of.register
def _input_count(rule: InputCountRule, draft: Draft) -> Iterator[Goal]:
    for label, count, expected in edges(rule, least=0):
        constants = _each([("input", i) for i in range(rule.variable_max or 0, count)], "const", Fill(1.0))
        yield Goal(label, expected, {("inputs",): count, **(constants if rule.variable_max is not None else {})})
    if rule.variable_max is not None:
        count = max(int(rule.min or 0), rule.variable_max + 1)
        for extra, outcome in ((0, "holds"), (1, "broken")):
            constant: list[Place] = [("input", i) for i in range(rule.variable_max + extra, count)]
            pins = {("inputs",): count, **_each(constant, "const", Fill(1.0))}
            yield Goal(f"{rule.variable_max + extra} not constant", outcome, pins)  # type: ignore[arg-type]


@goals_of.register
def _output_count(rule: OutputCountRule, draft: Draft) -> Iterator[Goal]:
    for label, count, expected in edges(rule, least=0):
        yield Goal(label, expected, {("outputs",): count})


_WHOLE: Final = (2, 3, 5, 7, 11, 13)
"""Sizes of an output, all different, none 1."""


@goals_of.register
def _broadcast(rule: BroadcastRule, draft: Draft) -> Iterator[Goal]:
    inputs = places_of(["inputs"], draft.words)
    for pattern, constant in [*((p, False) for p in rule.allowed), *((p, True) for p in rule.constants)]:
        rank = 4 if pattern in ("same", "scalar", "any") else len(pattern)
        full = _WHOLE[:rank]
        marks = {"same": "A" * rank, "any": "A" * rank, "scalar": "1" * rank}.get(pattern, pattern)
        shape = tuple(1 if mark == "1" else size for mark, size in zip(marks, full, strict=True))
        pins = {**_each(inputs, "shape", shape), ("shape", ("output", 0)): full}
        yield Goal(pattern, "holds", {**pins, **(_each(inputs, "const", Fill(1.0)) if constant else {})})
    shapes = [tuple(size if bits >> i & 1 else 1 for i, size in enumerate(_WHOLE[:4])) for bits in range(16)]
    yield Goal("another", "broken", {("shape", ("output", 0)): _WHOLE[:4]}, {("shape", ("input", 0)): list(shapes)})


@goals_of.register
def _opset(rule: OpsetRule, draft: Draft) -> Iterator[Goal]:
    for label, value, expected in _listed(rule, rule.values) if rule.values else edges(rule, least=1):
        yield Goal(label, expected, {("opset",): value})


@goals_of.register
def _mode(rule: ModeInRule, draft: Draft) -> Iterator[Goal]:
    for label, value, expected in _listed(rule, rule.values):
        yield Goal(label, expected, {("property", "mode"): value})


@goals_of.register
def _arch(rule: ArchRule, draft: Draft) -> Iterator[Goal]:
    known = draft.context.properties.get(rule.property)
    step = 1e-3 if isinstance(known, float) else 1
    for label, value, expected in _listed(rule, rule.values) if rule.values else edges(rule, step):
        yield Goal(label, expected, {("property", rule.property): value})


def _listed(rule: Rule, values: tuple[Any, ...]) -> Iterator[tuple[str, Any, Outcome]]:
    for value in values:
        yield str(value), value, "holds"
    yield "another", _another(values), "broken"


@goals_of.register
def _lowering(rule: LoweringRule, draft: Draft) -> Iterator[Goal]:
    if rule.how == "host":
        yield Goal("host", "broken")


@goals_of.register
def _pattern(rule: OnlyInPatternRule, draft: Draft) -> Iterator[Goal]:
    yield Goal("pattern", "holds", {("producers",): rule.producers[:1], ("consumers",): rule.consumers[:1]})
    if rule.producers:
        yield Goal("another producer", "broken", {("producers",): ("Other",), ("consumers",): rule.consumers[:1]})
    if rule.consumers:
        for consumers in (("Other",), (), (rule.consumers[0], "Other")):
            pins: dict[Knob, Any] = {("producers",): rule.producers[:1], ("consumers",): consumers}
            yield Goal(f"consumers {consumers}", "broken", pins)


@goals_of.register
def _quant(rule: QuantRule, draft: Draft) -> Iterator[Goal]:
    places = places_of(rule.tensor, draft.words)
    if rule.required:
        everything = places_of(["*"], draft.words)
        yield Goal("integers", "holds", _each(everything, "dtype", "int8"))
        yield Goal("floats", "broken", _each(everything, "dtype", "float32"))
    elif rule.forbidden:
        yield Goal("floats", "holds", {("quantized",): False})
        yield Goal("a Q/DQ group", "broken", {("quantized",): True})
    elif rule.same_scale:
        places = places_of(rule.same_scale, draft.words)
        yield Goal("one scale", "holds", _each(places, "quant", Quant()))
        yield Goal("two scales", "broken", {**_each(places, "quant", Quant()), ("quant", places[-1]): Quant(scale=2)})
    else:
        for label, quant, expected in _quants(rule):
            yield Goal(label, expected, _each(places, "quant", quant))


def _quants(rule: QuantRule) -> Iterator[tuple[str, Quant, Outcome]]:
    if rule.zero_point is not None:
        yield "zero point kept", Quant(zero_point=rule.zero_point), "holds"
        yield "zero point off by one", Quant(zero_point=rule.zero_point + 1), "broken"
        return
    for scheme in ("per_tensor", "per_channel", "per_block"):
        axis = rule.axis if rule.axis is not None else 1
        kept = scheme == "per_tensor" if rule.per_channel_only_for else scheme in rule.scheme
        yield scheme, Quant(scheme, axis), "holds" if kept else "broken"
    if rule.axis is not None:
        yield "another axis", Quant("per_channel", rule.axis + 1), "broken"


@goals_of.register
def _predicate(rule: PredicateRule, draft: Draft) -> Iterator[Goal]:
    texts = [rule.expr] if rule.got is None else [rule.expr, rule.got]
    free = choices_of(texts, draft.words, draft.context.properties)
    if rule.expr != "False":
        yield Goal("true", "holds", {}, free)
    yield Goal("false", "broken", {}, free)


@goals_of.register
def _table(rule: TableRule, draft: Draft) -> Iterator[Goal]:
    keys = [repr(key.strip("()").split(",")) for key in rule.rows] + [key for key in rule.rows if _is_tuple(key)]
    texts = [rule.key, *rule.rows.values(), rule.otherwise]
    free = choices_of([*texts, *keys], draft.words, draft.context.properties)
    yield Goal("in the table", "holds", {}, free)
    yield Goal("not in the table", "broken", {}, free)


def _is_tuple(key: str) -> bool:
    return all(part.strip().lstrip("-").isdigit() for part in key.strip("()").split(","))
