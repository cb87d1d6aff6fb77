"""Find operators that keep a rule, and operators that break it: proof that the rule says something."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.ir.schema import op_schema
from dovetail.ir.vocabulary import OpWords, op_words
from dovetail.targets.examples.draft import Draft, Knob, UnbuildableError
from dovetail.targets.examples.goals import Goal, Outcome, goals_of
from dovetail.targets.examples.knobs import Choices, choices_of, places_of
from dovetail.targets.facts import Context
from dovetail.targets.rules.base import Broken, Rule, Undecidable
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.view import OperatorView

_TRIES: Final = 3000
_NEWEST_OPSET: Final = 21
_SOME_WORDS: Final = OpWords(("X", "Y", "Z"), ("output",), {}, variadic=False)


@dataclass(frozen=True, slots=True)
class Example:
    """An operator for a goal; None where none was found."""

    goal: Goal
    operator: OperatorView | None
    context: Context
    """Of the device that it is judged for: properties are made up too."""


def draft_of(key: str, context: Context) -> Draft:
    """Return the draft of an operator (`Conv`, `com.microsoft:Gelu`)."""
    domain, _, op_type = key.rpartition(":")
    words = op_words(op_type, domain)
    defaults = op_schema(op_type, domain, _NEWEST_OPSET).defaults if words is not None else {}
    return Draft(op_type, domain, words or _SOME_WORDS, defaults, context)


def examples_of(rule: Rule, draft: Draft) -> Iterator[Example]:
    """Yield an example for every goal of `rule`."""
    for goal in goals_of(rule, draft):
        yield Example(goal, *(find(rule, draft, goal) or (None, draft.context)))


def missing(rule: Rule, drafts: Iterable[Draft]) -> tuple[str, ...]:
    """Return the goals of `rule` without an example, for the operator that has most of them.

    Empty: there is an operator for which every goal was met.
    """
    least: tuple[str, ...] | None = None
    for draft in drafts:
        labels = tuple(example.goal.label for example in examples_of(rule, draft) if example.operator is None)
        if not labels:
            return ()
        least = labels if least is None or len(labels) < len(least) else least
    return least or ()


def find(rule: Rule, draft: Draft, goal: Goal) -> tuple[OperatorView, Context] | None:
    """Return an operator, and its device's context, of which `rule` says what `goal` expects.

    None where a search of bounded length finds none.
    """
    for settings in _attempts(rule, draft, goal):
        try:
            view, context = draft.build(settings)
            if outcome_of(rule, view, context) == goal.expected:
                return view, context
        except UnbuildableError:
            continue
    return None


def outcome_of(rule: Rule, view: OperatorView, context: Context) -> Outcome | None:
    """Return what `rule` says of an operator; None where it is not about it, or can't tell whether it is."""
    if not rule.is_about(view, context):
        return None
    outcome = rule.check(view, context)
    if isinstance(outcome, Broken):
        return "broken"
    return "unknown" if isinstance(outcome, Undecidable) else "holds"


def _attempts(rule: Rule, draft: Draft, goal: Goal) -> Iterator[Mapping[Knob, Any]]:
    """Yield settings: nothing but what is pinned, then one change, then several at random (the same every time)."""
    conditions = [rule.when] if rule.when is not None else []
    free: Choices = {**choices_of(conditions, draft.words, draft.context.properties)}
    for knob, values in goal.free.items():
        free[knob] = [*values, *free.get(knob, ())]
    if rule.when_dtype:
        references = rule.tensor if isinstance(rule, TensorRule) else ("input[0]",)
        free |= {("dtype", place): list(rule.when_dtype) for place in places_of(references, draft.words)}
    free = {knob: values for knob, values in free.items() if knob not in goal.pins and values}
    yield goal.pins
    if not free:
        return
    for knob, values in free.items():
        for value in values:
            yield {knob: value, **goal.pins}
    yield from _random(free, goal)


def _random(free: Choices, goal: Goal) -> Iterator[Mapping[Knob, Any]]:
    source = random.Random(0)
    knobs = list(free)
    for _ in range(_TRIES):
        share = source.choice((0.3, 0.6, 1.0))
        chosen = {knob: _pick(source, free[knob]) for knob in knobs if source.random() < share}
        yield {**chosen, **goal.pins}


def _pick(source: random.Random, values: list[Any]) -> Any:
    """Return one of `values`, the first ones more often."""
    return values[int(len(values) * source.random() ** 1.5)]
