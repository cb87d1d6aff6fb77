"""Every rule of every shipped target, just inside and just outside of its limits; generated from the files."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from pydantic import TypeAdapter

from dovetail.targets import OperatorView, load_target, target_names
from dovetail.targets.examples import Example, draft_of, examples_of, goals_of, missing, outcome_of
from dovetail.targets.facts import Context
from dovetail.targets.rulebook import RuleBook
from dovetail.targets.rules import AnyRule, Rule
from dovetail.targets.rules.platform import EngineRule, LoweringRule

ADAPTER: TypeAdapter[Rule] = TypeAdapter(AnyRule)
TRIED = 12
"""Operators that a rule of a whole device is tried on."""
PREFERRED = ("Conv", "Add", "Relu", "MatMul")


@dataclass(frozen=True, slots=True)
class Place:
    """A rule in a file, and the operators that it is about."""

    where: str
    rule: Rule
    keys: tuple[str, ...]
    book: RuleBook


def places(name: str) -> Iterator[Place]:
    """Every rule of a target once, the element types of its operators among them."""
    for device in load_target(name).devices:
        book, part = device.book, device.book.device
        listed = tuple(key for key in PREFERRED if key in part.ops) + tuple(part.ops)
        for rule in part.rules:
            keys = tuple(dict.fromkeys(key for key in listed if key not in rule.except_ops))[:TRIED]
            yield Place(device.id, rule, keys or PREFERRED, book)
        for title, rules in book.rule_sets.items():
            keys = tuple(key for key, forms in part.ops.items() if any(title in form.use for form in forms))
            yield from (Place(f"{device.id} {title}", rule, keys, book) for rule in rules if keys)
        for key, forms in part.ops.items():
            for form in forms:
                shared = {id(rule) for title in form.use for rule in book.rule_sets[title]}
                own = [rule for rule in book.rules_of(form) if id(rule) not in shared]
                yield from (Place(f"{device.id} {key} {form.label}", rule, (key,), book) for rule in own)


@pytest.mark.parametrize("name", target_names())
def test_every_rule_holds_just_inside_and_breaks_just_outside(name: str) -> None:
    faults = []
    for place in places(name):
        best = best_examples(place)
        if labels := [example.goal.label for example in best if example.operator is None]:
            faults.append(f"{place.where}: {place.rule.kind}: {place.rule.sentence()}: no operator for {labels}")
        for example in best:
            if example.operator is not None and example.goal.expected == "broken":
                check_reason(place, example.operator, example.context)
    assert not faults, "\n".join(faults)


def best_examples(place: Place) -> list[Example]:
    """The examples for the first operator for which every goal is met, else for the one with most of them."""
    tried: list[list[Example]] = []
    for key in place.keys:
        tried.append(list(examples_of(place.rule, draft_of(key, place.book.context))))
        if not unmet(tried[-1]):
            break
    return min(tried, key=unmet)


def unmet(examples: list[Example]) -> int:
    return sum(example.operator is None for example in examples)


def check_reason(place: Place, view: OperatorView, context: Context) -> None:
    """A verdict gives a broken rule as a reason: its sentence, what was got, what is allowed."""
    device = place.book.device.model_copy(update={"rules": (place.rule,), "ops": {}})
    verdict = replace(place.book, device=device, context=context).judge(view)
    (reason,) = (reason for reason in verdict.reasons if reason.rule == place.rule.kind)
    assert place.rule.sentence() in reason.message
    assert reason.got
    assert reason.allowed


@pytest.mark.parametrize("name", target_names())
def test_every_rule_can_fail(name: str) -> None:
    """Kinds that only say where or how an operator runs are the exception."""
    for place in places(name):
        draft = draft_of(place.keys[0], place.book.context)
        expected = {goal.expected for goal in goals_of(place.rule, draft)}
        states_a_fact = isinstance(place.rule, EngineRule | LoweringRule) and place.rule.limit() != "host"
        assert states_a_fact == expected.isdisjoint({"broken", "unknown"}), f"{place.where}: {place.rule.sentence()}"


@pytest.mark.parametrize(
    ("rule", "edge"),
    [
        ({"kind": "predicate", "expr": "1 == 1", "says": "nothing"}, "false"),
        ({"kind": "predicate", "expr": "X.C < 0", "says": "nothing"}, "true"),
        ({"kind": "predicate", "expr": "X.C > 8", "says": "never asked", "when": "X.rank > 9"}, "false"),
        ({"kind": "broadcast", "allowed": ["any"]}, "another"),
        ({"kind": "rank", "tensor": "X", "min": 3, "max": 4, "when": "X.rank == 4"}, "just outside min"),
        ({"kind": "dtype", "tensor": "Missing", "in": ["int8"]}, "another type"),
    ],
)
def test_a_rule_that_can_not_be_kept_or_broken_is_found(rule: dict[str, object], edge: str) -> None:
    draft = draft_of("Conv", Context({}, {}))
    assert edge in missing(ADAPTER.validate_python(rule), [draft])


def test_examples_stand_at_the_limit() -> None:
    rule = ADAPTER.validate_python({"kind": "attr_range", "attr": "strides", "min": 2, "max": 8})
    context = Context({}, {})
    found = {
        example.goal.label: (example.operator.attributes["strides"], outcome_of(rule, example.operator, context))
        for example in examples_of(rule, draft_of("Conv", context))
        if example.operator is not None
    }
    assert found == {
        "just inside min": ((2, 2), "holds"),
        "just outside min": ((1, 1), "broken"),
        "just inside max": ((8, 8), "holds"),
        "just outside max": ((9, 9), "broken"),
    }
