"""Operators: known ones of the ONNX domains, with the inputs, outputs and attributes that ONNX gives them."""

from dataclasses import dataclass
from functools import lru_cache

import onnx
from onnx import AttributeProto, NodeProto

from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

ORT_OPS_IN_ONNX_DOMAIN = frozenset(
    {
        "Affine",
        "Crop",
        "DynamicSlice",
        "GivenTensorFill",
        "ImageScaler",
        "LayerNormalization",
        "ParametricSoftplus",
        "Scale",
        "ScaledTanh",
        "SimplifiedLayerNormalization",
    }
)
"""ONNX Runtime's own operators that its tools write without a domain (one of them before opset 17)."""


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """What a node of an operator may look like."""

    inputs: range
    outputs: range
    attributes: dict[str, int]
    """Type of each attribute, as in `AttributeProto.AttributeType`."""
    required: frozenset[str]


@lru_cache(maxsize=1)
def newest_opsets() -> dict[str, int]:
    """The newest version of each of ONNX's own domains that the installed onnx knows."""
    newest: dict[str, int] = {"ai.onnx.training": 1}
    for schema in onnx.defs.get_all_schemas_with_history():
        newest[schema.domain] = max(newest.get(schema.domain, 1), schema.since_version)
    newest[""] = onnx.defs.onnx_opset_version()
    return newest


@lru_cache(maxsize=4096)
def operator_facts(op_type: str, domain: str, version: int) -> OperatorFacts | str:
    """The facts of an operator at an opset version, or why there are none."""
    try:
        schema = onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return "is not an operator"
    if schema.deprecated:
        return "is deprecated and no longer an operator"
    return OperatorFacts(
        inputs=range(schema.min_input, schema.max_input + 1),
        outputs=range(schema.min_output, schema.max_output + 1),
        attributes={name: _type_number(attribute) for name, attribute in schema.attributes.items()},
        required=frozenset(name for name, attribute in schema.attributes.items() if attribute.required),
    )


def check_operator(node: NodeProto, opsets: dict[str, int], label: str) -> OperatorFacts | None:
    """Refuse an operator that does not exist at its opset, or a node that does not fit it.

    Args:
        node: A node that calls no model-local function.
        opsets: Version by domain where the node stands.
        label: The node, for messages.

    Returns:
        The facts of an ONNX operator, None for one of another domain.
    """
    if node.domain not in newest_opsets():
        return None
    version = opsets[node.domain]
    facts = operator_facts(node.op_type, node.domain, version)
    if isinstance(facts, str):
        if node.domain == "" and node.op_type in ORT_OPS_IN_ONNX_DOMAIN:
            return None
        raise ModelError(
            f"{label}: {shown(node.op_type)} {facts} of domain {shown(node.domain or 'ai.onnx')} at opset "
            f"{version}; import the domain and opset that have it"
        )
    if len(node.input) not in facts.inputs:
        raise ModelError(f"{label}: takes {_span(facts.inputs)} inputs, got {len(node.input)}; export it again")
    if len(node.output) not in facts.outputs:
        raise ModelError(f"{label}: has {_span(facts.outputs)} outputs, got {len(node.output)}; export it again")
    _check_attributes(node, facts, label)
    return facts


def _check_attributes(node: NodeProto, facts: OperatorFacts, label: str) -> None:
    names = set()
    for attribute in node.attribute:
        names.add(attribute.name)
        wanted = facts.attributes.get(attribute.name)
        # onnx's own checker lets names that begin with two underscores pass
        if wanted is None and not attribute.name.startswith("__"):
            raise ModelError(
                f"{label}: attribute {shown(attribute.name)} is not one of {node.op_type}'s here; remove it"
            )
        if wanted is not None and attribute.type != wanted:
            raise ModelError(
                f"{label}: attribute {shown(attribute.name)} must be of type {_type_name(wanted)}, "
                f"got {_type_name(attribute.type)}; export the model again"
            )
    missing = facts.required - names
    if missing:
        raise ModelError(f"{label}: lacks the attribute {', '.join(sorted(missing))}; add it")


def _type_number(attribute: onnx.defs.OpSchema.Attribute) -> int:
    return int(AttributeProto.AttributeType.Value(attribute.type.name))  # type: ignore[attr-defined]  # an enum


def _type_name(attribute_type: int) -> str:
    return str(AttributeProto.AttributeType.Name(attribute_type))


def _span(allowed: range) -> str:
    low, high = allowed[0], allowed[-1]
    if low == high:
        return str(low)
    return f"at least {low}" if high >= 2**31 - 1 else f"{low} to {high}"
