"""Everything one device says about operators, and the verdict it gives for one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dovetail.plan.schema import Reason, State
from dovetail.targets.expression import holds
from dovetail.targets.facts import Context, MissingFactError
from dovetail.targets.rules.base import Broken, Outcome, Rule
from dovetail.targets.rules.dtype import DtypeRule
from dovetail.targets.rules.platform import EngineRule
from dovetail.targets.schema import DevicePart, OperatorPart
from dovetail.targets.verdict import SEVERITY, Verdict, worst
from dovetail.targets.view import OperatorView

_Finding = tuple[State, Reason]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of one device in one variant of a target."""

    device: DevicePart
    rule_sets: Mapping[str, tuple[Rule, ...]]
    sources: Mapping[str, str]
    context: Context

    def judge(self, op: OperatorView) -> Verdict:
        """Return the worst over all rules, and every rule that speaks against the operator, worst first."""
        form, refusal = self._form_of(op)
        findings = list(self._broken(op, self.device.rules, None))
        if refusal is not None:
            findings.append(refusal)
        rules = self.rules_of(form) if form is not None else ()
        findings += self._broken(op, rules, form)
        unique = sorted(dict.fromkeys(findings), key=lambda finding: -SEVERITY[finding[0]])
        state = worst(state for state, _ in unique)
        return Verdict(state, tuple(reason for _, reason in unique), self._engine(op, form))

    def rules_of(self, form: OperatorPart) -> tuple[Rule, ...]:
        """Return the rules of one form: its element types, the rule sets it uses, its own."""
        types = _types_rules(form.dtypes_of, form.dtypes, form.quantized_dtypes)
        shared = tuple(rule for name in form.use for rule in self.rule_sets[name])
        return types + shared + form.rules

    def _form_of(self, op: OperatorView) -> tuple[OperatorPart | None, _Finding | None]:
        """Return the form that matches `op`, or why none does."""
        key = f"{op.domain}:{op.op_type}" if op.domain else op.op_type
        forms = self.device.ops.get(key)
        if forms is None:
            return None, self._unlisted(op, key)
        for form in forms:
            try:
                if form.match is not None and not holds(form.match, op, self.context):
                    continue
            except MissingFactError as missing:
                message = f"can't tell which form of the operator it is: {missing.what} is not known"
                unknown = _finding("unknown", op, "op_list", message, missing.what, form.match or "", fix=missing.fix)
                return None, unknown
            return form, None if form.supported else self._refused(op, key, form)
        forms_text = " or ".join(form.label or form.match or "" for form in forms)
        message = f"{self.device.name} takes it only as {forms_text}"
        return None, _finding("unsupported", op, "op_list", message, key, forms_text, self.cite(forms[0].source))

    def _unlisted(self, op: OperatorView, key: str) -> _Finding | None:
        every = self.device.any_operator
        if self.device.operator_list() != "listed" and not op.domain:
            message = f"no public list says whether {self.device.name} takes it"
            return _finding("unknown", op, "op_list", message, key, "not published")
        if every is None:
            message = f"it is not in the operator list of {self.device.name}"
            return _finding("unsupported", op, "op_list", message, key, f"{len(self.device.ops)} listed operators")
        if op.domain in every.domains and key not in every.except_ops:
            return None
        domains = " ".join(domain or "ai.onnx" for domain in every.domains)
        return _finding("unsupported", op, "op_list", every.refusal, key, f"operators of {domains}")

    def _refused(self, op: OperatorView, key: str, form: OperatorPart) -> _Finding:
        why = f": {form.notes}" if form.notes else ""
        message = f"{self.device.name} does not take it{why}"
        source = self.cite(form.source)
        return _finding("unsupported", op, "op_list", message, key, "not supported", source, form.confidence)

    def _broken(self, op: OperatorView, rules: Iterable[Rule], form: OperatorPart | None) -> Iterable[_Finding]:
        for rule in rules:
            outcome = rule.check(op, self.context)
            if outcome is not None:
                yield self._report(op, rule, outcome, form)

    def _report(self, op: OperatorView, rule: Rule, outcome: Outcome, form: OperatorPart | None) -> _Finding:
        source = self.cite(rule.source or (form.source if form is not None else ()))
        confidence = rule.confidence or (form.confidence if form is not None else "high")
        sentence, limit = rule.sentence(), rule.limit()
        if isinstance(outcome, Broken):
            state: State = "soft" if rule.soft else "unsupported"
            message, got, fix = f"{sentence}, got {outcome.got}", outcome.got, outcome.fix
        else:
            assert outcome is not None
            state, got, fix = "soft" if rule.soft else "unknown", outcome.missing, outcome.fix
            message = f"{sentence}, but {outcome.missing} is not known"
        return _finding(state, op, rule.kind, message, got, limit, source, confidence, fix)

    def cite(self, keys: Iterable[str]) -> str:
        """Return the citations behind source keys; a key may carry an anchor (`S2#Conv2d`)."""
        texts = []
        for key in keys:
            name, _, anchor = key.partition("#")
            text = self.sources.get(name, name)
            texts.append(f"{text} ({anchor})" if anchor else text)
        return "; ".join(texts)

    def _engine(self, op: OperatorView, form: OperatorPart | None) -> str:
        if form is None:
            return ""
        for rule in self.rules_of(form):
            if isinstance(rule, EngineRule) and rule.is_about(op, self.context):
                return rule.value
        return form.engine


@lru_cache(maxsize=1024)
def _types_rules(tensors: tuple[str, ...], plain: tuple[str, ...], quantized: tuple[str, ...]) -> tuple[Rule, ...]:
    if not quantized:
        return (_types_rule(tensors, plain),) if plain else ()
    inside = _types_rule(tensors, quantized, "quantized()", " in a Q/DQ group")
    if not plain:
        return (inside,)
    return _types_rule(tensors, plain, "not quantized()", " outside a Q/DQ group"), inside


def _types_rule(tensors: tuple[str, ...], types: tuple[str, ...], when: str | None = None, where: str = "") -> Rule:
    rule = DtypeRule.model_validate({"kind": "dtype", "tensor": tensors, "in": types, "when": when})
    return rule.model_copy(update={"says": rule.phrase() + where}) if where else rule


def _finding(
    state: State,
    op: OperatorView,
    rule: str,
    message: str,
    got: str,
    allowed: str,
    source: str = "",
    confidence: str = "high",
    fix: str = "",
) -> _Finding:
    text = f"'{op.name}' ({op.op_type}): {message}"
    return state, Reason(rule, text, got, allowed, source, confidence, fix)
