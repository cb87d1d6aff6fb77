"""The codes of reasons: one for each rule that can keep an operator off a device.

A code never changes its meaning: scripts and suppressions name them. `DV1..` are rules of a device about one operator,
`DV2..` say that it goes where others go, `DV3..` that the placement chose, `DV4..` what a compiler or a backend said.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """What all reasons of one code have in common."""

    code: str
    """`DV104`."""
    rule: str
    """The rule's kind, as `Reason.rule` holds it."""
    title: str
    """In few words what is wrong, without a full stop."""
    fix: str
    """What helps as a rule, where a reason knows nothing better."""


_TO_STATIC: Final = "give the shapes of the model's inputs, --shape NAME=1,3,224,224 or --dim NAME=1"
_ATTRIBUTE: Final = "change the attribute in the model, or build it of operators that the device takes"
_SIZE: Final = "change the model's size there, or split the operator"
_TO_EXACT: Final = "keep it in a wider type, bound its values, or allow the error with --verify-snr-db"
_VARIANT: Final = "choose a variant of the target that takes it, -t TARGET:VARIANT"

CODES: Final = (
    Code("DV101", "op_list", "the device does not take the operator", "build it of operators that the device takes"),
    Code("DV102", "opset", "the model's opset is not taken", "convert the model with onnx.version_converter"),
    Code("DV103", "arch", "this variant of the target does not take it", _VARIANT),
    Code("DV104", "dtype", "the element type is not taken", "cast or quantize to a type that is taken"),
    Code("DV105", "rank", "the number of dimensions is not taken", "reshape around the operator"),
    Code("DV106", "static_shape", "a dimension is not known", _TO_STATIC),
    Code("DV107", "no_zero_dim", "a dimension is 0", "leave out the operator: its tensor is empty"),
    Code("DV108", "dim_range", "a dimension is too small or too large", _SIZE),
    Code("DV109", "dim_multiple", "a dimension is not a multiple", "pad the dimension to the next multiple"),
    Code("DV110", "dim_in", "a dimension has a size that is not taken", _SIZE),
    Code("DV111", "attr_in", "an attribute has a value that is not taken", _ATTRIBUTE),
    Code("DV112", "attr_not_in", "an attribute has a value that is excluded", _ATTRIBUTE),
    Code("DV113", "attr_absent", "an attribute must not be there", _ATTRIBUTE),
    Code("DV114", "attr_range", "an attribute is too small or too large", _ATTRIBUTE),
    Code("DV115", "axis_in", "the axis is not taken", "transpose around the operator"),
    Code("DV116", "const_input", "an input must be constant", "make it an initializer, or --bind NAME=VALUE"),
    Code("DV117", "const_value", "a constant has a value that is not taken", "change the constant in the model"),
    Code("DV118", "input_count", "too few or too many inputs", "split the operator, or leave out an optional input"),
    Code("DV119", "output_count", "too few or too many outputs", "split the operator, or leave out an optional output"),
    Code("DV120", "broadcast", "the shapes broadcast in a way that is not taken", "expand the smaller input first"),
    Code("DV121", "quant", "the quantization is not of a form that is taken", "quantize the model again, in that form"),
    Code("DV122", "mode_in", "this mode of computing does not take it", _VARIANT),
    Code("DV123", "engine", "an engine of the device runs it", "nothing: it keeps no operator off a device"),
    Code("DV124", "lowering", "the device's compiler leaves it to the host", "replace it by other operators"),
    Code("DV125", "only_in_pattern", "it is only taken as part of a pattern", "export the whole pattern unbroken"),
    Code("DV126", "predicate", "a condition of the device does not hold", "change what the condition speaks of"),
    Code("DV127", "table", "the device's condition for this form does not hold", "choose a form that the table takes"),
    Code("DV201", "unit", "it stays with the operator of its group", "what keeps that operator off is the cause"),
    Code("DV202", "body", "an operator in its body is not taken", "what keeps that operator off is the cause"),
    Code("DV203", "inside", "it runs where the operator runs whose body holds it", "move that operator"),
    Code("DV301", "cost", "the whole model costs less this way", "nothing is wrong: on the device it would cost more"),
    Code("DV302", "pinned", "it was put there by hand", "take the --place away"),
    Code("DV303", "limit", "a limit of the target leaves no room for it", "first move what cuts the model in pieces"),
    Code("DV401", "backend", "the backend can't run it", "run it on a device with another backend"),
    Code("DV402", "probe", "the vendor's compiler refused it when it was probed", "probe again with a newer compiler"),
    Code("DV403", "compile", "the vendor's compiler refused it", "try a newer compiler, or another form"),
    Code("DV404", "numerics", "the device computes it too inexactly", _TO_EXACT),
)
"""In the order of their numbers."""

_BY_RULE: Final = {each.rule: each for each in CODES}
_BY_CODE: Final = {each.code: each for each in CODES}


def code_of(rule: str) -> str:
    """The code of a rule's kind; empty for a kind that has none, as of a plan that a newer Dovetail wrote."""
    found = _BY_RULE.get(rule)
    return found.code if found else ""


def label(code: str, rule: str) -> str:
    """How a report names a rule: `DV104 dtype`; the rule alone where it has no code."""
    return f"{code} {rule}".strip()


def remedy(code: str, fix: str) -> str:
    """What to do: `fix`, what a reason knows itself, else what helps as a rule; empty for an unknown code."""
    known = _BY_CODE.get(code)
    return fix or (known.fix if known else "")


def find_code(text: str) -> Code | None:
    """The code of that name, in any case (`dv104`), or of that rule (`dtype`); None where there is none."""
    return _BY_CODE.get(text.upper()) or _BY_RULE.get(text.lower())
