"""A target in words, for `targets show` and the generated pages: the same sentences that verdicts use."""

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.plan.schema import BackendSpec
from dovetail.targets.figure import Figure, PartitionLimits
from dovetail.targets.rulebook import RuleBook
from dovetail.targets.rules.base import Rule
from dovetail.targets.schema import OperatorPart


@dataclass(frozen=True, slots=True)
class OperatorDescription:
    """One form of an operator."""

    op_type: str
    label: str
    supported: bool
    sentences: tuple[str, ...]
    engine: str
    source: str
    confidence: str
    notes: str


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """A device: what holds for every operator, then operator by operator."""

    id: str
    kind: str
    name: str
    backend: str
    """Name of the provider that runs it; empty where nothing does."""
    numerics: str
    figures: Mapping[str, Figure]
    data_quality: str
    data_note: str
    rules: tuple[str, ...]
    domains: tuple[str, ...]
    """Domains whose operators it takes without a list."""
    operator_list: str
    """`listed`, `partial` (others are unknown) or `unpublished` (nothing can be compiled for it)."""
    operators: tuple[OperatorDescription, ...]


@dataclass(frozen=True, slots=True)
class TargetDescription:
    """A whole target."""

    ref: str
    name: str
    vendor: str
    summary: str
    variant: str
    variants: tuple[str, ...]
    devices: tuple[DeviceDescription, ...]
    limits: tuple[str, ...]
    sources: Mapping[str, str]
    notes: tuple[str, ...]


def describe_device(
    book: RuleBook, backend: BackendSpec | None, numerics: str, figures: Mapping[str, Figure]
) -> DeviceDescription:
    """Return the description of the device that `book` belongs to."""
    part = book.device
    return DeviceDescription(
        id=part.id,
        kind=part.kind,
        name=part.name,
        backend=backend.provider if backend is not None else "",
        numerics=numerics,
        figures=figures,
        data_quality=part.data_quality,
        data_note=part.data_note,
        rules=tuple(rule_text(rule) for rule in part.rules),
        domains=part.any_operator.domains if part.any_operator is not None else (),
        operator_list=part.operator_list(),
        operators=tuple(_operator(book, key, form) for key in sorted(part.ops) for form in part.ops[key]),
    )


def _operator(book: RuleBook, key: str, form: OperatorPart) -> OperatorDescription:
    return OperatorDescription(
        op_type=key,
        label=form.label or form.match or "",
        supported=form.supported,
        sentences=tuple(rule_text(rule) for rule in book.rules_of(form)),
        engine=form.engine,
        source=book.cite(form.source),
        confidence=form.confidence,
        notes=form.notes,
    )


def rule_text(rule: Rule) -> str:
    """Return a rule's sentence with what softens it."""
    marks = ["slower where broken"] if rule.soft else []
    if rule.except_ops:
        marks.append(f"not for {' '.join(rule.except_ops)}")
    if rule.confidence is not None and rule.confidence != "high":
        marks.append(f"{rule.confidence} confidence")
    return rule.sentence() + (f" ({', '.join(marks)})" if marks else "")


def limit_sentences(limits: PartitionLimits) -> tuple[str, ...]:
    """Return the limits of partitions in words."""
    most = limits.max_partitions.items()
    sentences = [f"at most {count} partition{'s' if count != 1 else ''} on the {device}" for device, count in most]
    flags = {
        "one contiguous subgraph only": limits.contiguous_subgraph,
        "only the start of the model, up to the first operator elsewhere": limits.prefix_only,
        "all operators of a partition have one batch size": limits.uniform_batch,
        "one precision for the whole model": limits.one_precision_per_model,
        "the compiler takes or refuses the graph as a whole": limits.whole_graph_preferred,
        "static shapes only": limits.static_shapes,
        f"at least {limits.min_nodes} operators in a partition": limits.min_nodes > 1,
        f"at least {limits.min_tensor_bytes} bytes in one tensor of a partition": limits.min_tensor_bytes > 0,
        f"{limits.layout} layout at its edges": bool(limits.layout),
    }
    return (*sentences, *(sentence for sentence, stated in flags.items() if stated))
