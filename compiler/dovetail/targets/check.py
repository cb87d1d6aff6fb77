"""`dovetail targets check`: everything that is wrong with a target file, and what is doubtful about it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dovetail.ir.vocabulary import OpWords, op_words
from dovetail.plan.naming import meant
from dovetail.targets.document import Mistake, MistakeError, Source, mistake_at, read_document
from dovetail.targets.examples import draft_of, missing
from dovetail.targets.expression import names_in
from dovetail.targets.extends import resolve
from dovetail.targets.facts import Context
from dovetail.targets.mistakes import examine, rules_of
from dovetail.targets.rules.attribute import AttrAbsentRule, AttrInRule, AttrNotInRule, AttrRangeRule, AxisInRule
from dovetail.targets.rules.base import Rule
from dovetail.targets.rules.constant import ConstInputRule
from dovetail.targets.rules.predicate import PredicateRule, TableRule
from dovetail.targets.rules.quant import QuantRule
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.schema import TargetPart

_GROUPS: Final = {"*", "inputs", "outputs", "activations"}

_Path = tuple[int | str, ...]
_LIKELY: Final = ("Conv", "Add", "Relu", "MatMul", "Softmax")
_TRIED: Final = 12
"""Operators that a rule of a whole device is tried on."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong with a file, and what it describes."""

    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]
    devices: int = 0
    operators: int = 0


def check_target(path: Path) -> Report:
    """Return everything that is wrong with a file; TargetError where there is no file to read."""
    try:
        source = resolve(read_document(path))
    except MistakeError as error:
        return Report((error.mistake,), ())
    part, mistakes = examine(source)
    if part is None:
        return Report(tuple(mistakes), ())
    names, warnings = _Vocabulary(source, part).findings()
    warnings += _unused(source, part)
    if not names:
        warnings += _without_examples(source, part)
    order = {finding: finding.line for finding in (*mistakes, *names, *warnings)}
    return Report(
        mistakes=tuple(sorted(dict.fromkeys([*mistakes, *names]), key=order.__getitem__)),
        warnings=tuple(sorted(dict.fromkeys(warnings), key=order.__getitem__)),
        devices=len(part.devices),
        operators=len({key for device in part.devices for key in device.ops}),
    )


class _Vocabulary:
    """Whether rules name only what their operators have."""

    def __init__(self, source: Source, part: TargetPart) -> None:
        self._source = source
        self._part = part
        self._properties = {name for variant in part.variants.values() for name in variant.properties}
        self._mistakes: list[Mistake] = []
        self._warnings: list[Mistake] = []

    def findings(self) -> tuple[list[Mistake], list[Mistake]]:
        """Return names in expressions that nothing has, and tensors and attributes that an operator lacks."""
        uses = _Uses(self._part)
        for path, rule in rules_of(self._part):
            known = [words for key in uses.of(path) if (words := _words(key)) is not None]
            if known:
                self._check_names(path, rule, known)
                self._check_parts(path, rule, known)
        self._check_matches()
        return self._mistakes, self._warnings

    def _check_names(self, path: _Path, rule: Rule, known: list[OpWords]) -> None:
        for field, text in _expressions(rule):
            self._check_expression((*path, field), text, known)

    def _check_expression(self, path: _Path, text: str, known: list[OpWords]) -> None:
        words = {name for each in known for name in (*each.inputs, *each.outputs, *each.attributes)}
        for name in sorted(names_in(text) - words - self._properties):
            problem = f"{name!r} is no attribute, input or output of the operator and no property of a variant"
            self._mistakes.append(mistake_at(self._source, path, f"{problem}; {meant(name, sorted(words))}"))

    def _check_matches(self) -> None:
        for number, device in enumerate(self._part.devices):
            for key, forms in device.ops.items():
                words = _words(key)
                for index, form in enumerate(forms):
                    path = ("devices", number, "ops", key, index)
                    if form.match is not None and words is not None:
                        self._check_expression((*path, "match"), form.match, [words])

    def _check_parts(self, path: _Path, rule: Rule, known: list[OpWords]) -> None:
        tensors = {name for words in known for name in (*words.inputs, *words.outputs)} | _GROUPS
        attributes = {name for words in known for name in words.attributes} | tensors
        for name in _references(rule):
            if name not in tensors and not name.startswith(("input[", "output[")):
                self._warn(path, f"the operator has no tensor {name!r}; {meant(name, sorted(tensors))}")
        for name in _attributes(rule):
            if name not in attributes:
                self._warn(path, f"the operator has no attribute {name!r}; {meant(name, sorted(attributes))}")

    def _warn(self, path: _Path, problem: str) -> None:
        self._warnings.append(mistake_at(self._source, path, problem))


class _Uses:
    """From where a rule stands to the operators that it is about."""

    def __init__(self, part: TargetPart) -> None:
        self._sets: dict[str, list[str]] = {}
        self._devices = [list(device.ops) for device in part.devices]
        for device in part.devices:
            for key, forms in device.ops.items():
                for name in {name for form in forms for name in form.use}:
                    self._sets.setdefault(name, []).append(key)

    def of(self, path: _Path) -> list[str]:
        """Return the operators that the rule at `path` is about."""
        if path[0] == "rule_sets":
            return self._sets.get(str(path[1]), [])
        if path[2] == "rules" and isinstance(path[1], int):
            return self._devices[path[1]]
        return [str(path[3])]


def _words(key: str) -> OpWords | None:
    domain, _, op_type = key.rpartition(":")
    return op_words(op_type, domain)


def _expressions(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield the expressions of a rule with their fields."""
    if rule.when is not None:
        yield "when", rule.when
    if isinstance(rule, PredicateRule):
        yield "expr", rule.expr
        if rule.got is not None:
            yield "got", rule.got
    if isinstance(rule, TableRule):
        yield "key", rule.key
        yield "otherwise", rule.otherwise
        yield from (("rows", text) for text in rule.rows.values())


def _references(rule: Rule) -> tuple[str, ...]:
    if isinstance(rule, ConstInputRule):
        return rule.inputs
    if isinstance(rule, QuantRule) and rule.same_scale:
        return rule.same_scale
    return rule.tensor if isinstance(rule, TensorRule) else ()


def _attributes(rule: Rule) -> tuple[str, ...]:
    if isinstance(rule, AttrInRule | AttrNotInRule | AttrRangeRule | AxisInRule):
        return (rule.attr,)
    return rule.attrs if isinstance(rule, AttrAbsentRule) else ()


def _unused(source: Source, part: TargetPart) -> list[Mistake]:
    used = {name for device in part.devices for forms in device.ops.values() for form in forms for name in form.use}
    spare = [name for name in part.rule_sets if name not in used]
    return [mistake_at(source, ("rule_sets", name), "no operator uses this rule set") for name in spare]


def _without_examples(source: Source, part: TargetPart) -> list[Mistake]:
    """Return the rules for which no operator was found that keeps, or that breaks, them."""
    found: list[Mistake] = []
    uses = _Uses(part)
    for path, rule in rules_of(part):
        keys = [key for key in uses.of(path) if key not in rule.except_ops and _words(key) is not None]
        context = Context(dict(_properties(part)), _rewrites(part, path))
        ordered = [key for key in _LIKELY if key in keys] + [key for key in keys if key not in _LIKELY]
        if labels := missing(rule, (draft_of(key, context) for key in ordered[:_TRIED])):
            problem = f"no operator was found at this edge of the rule: {', '.join(labels)}"
            found.append(mistake_at(source, path, f"{problem}; can it be kept, and broken, at all?"))
    return found


def _properties(part: TargetPart) -> Mapping[str, int | float | str]:
    return part.variants[part.default_variant].properties if part.default_variant else {}


def _rewrites(part: TargetPart, path: _Path) -> dict[str, str]:
    return part.devices[path[1]].dtype_rewrite if path[0] == "devices" and isinstance(path[1], int) else {}
