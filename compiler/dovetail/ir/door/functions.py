"""Model-local functions: no cycles, bounded depth and size after inlining, calls that fit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from onnx import FunctionProto, ModelProto, NodeProto

from dovetail.ir.door.blocks import FunctionKey, function_key
from dovetail.ir.door.budgets import MAX_CALL_DEPTH, MAX_INLINED_NODES
from dovetail.ir.door.header import check_opsets
from dovetail.ir.door.names import check_name, check_names, check_properties, check_text, function_label
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown


@dataclass(slots=True, eq=False)
class Owner:
    """What all bodies of one function share, or all bodies of the model's own graph."""

    function: FunctionProto | None = None
    """None for the model's own graph."""
    opsets: dict[str, int] = field(default_factory=dict)
    """Imported version by domain."""
    attributes: frozenset[str] | None = None
    """Attributes that nodes inside may refer to; None where they may not."""
    required: frozenset[str] = frozenset()
    """Attributes that a call must give."""
    nodes: int = 0
    """Nodes that are not calls."""
    callees: Counter[FunctionKey] = field(default_factory=Counter)
    calls: list[tuple[FunctionKey, NodeProto, str]] = field(default_factory=list)
    """Each call with its node and the node's label."""
    needed: set[str] = field(default_factory=set)
    """Values that nodes inside can't do without."""

    def add_call(self, callee: FunctionKey, node: NodeProto, label: str) -> None:
        """Note a call."""
        self.callees[callee] += 1
        self.calls.append((callee, node, label))


def function_owners(model: ModelProto) -> dict[FunctionKey, Owner]:
    """The functions of a model by what a node calls them by.

    Raises:
        ModelError: If a function is defined twice, or its head can't be used.
    """
    owners: dict[FunctionKey, Owner] = {}
    for function in model.functions:
        _check_head(function)
        key, label = function_key(function), function_label(function)
        if key in owners:
            raise ModelError(f"{label}: is defined twice; keep one of them")
        defaults = {default.name for default in function.attribute_proto}
        owners[key] = Owner(
            function=function,
            opsets=check_opsets(function.opset_import, label),
            attributes=frozenset(defaults.union(function.attribute)),
            required=frozenset(function.attribute),
            needed=set(function.output),
        )
    return owners


def check_call(node: NodeProto, callee: Owner, label: str) -> None:
    """Refuse a call whose inputs, outputs or attributes don't fit the function."""
    assert callee.function is not None
    function, name = callee.function, function_label(callee.function)
    for kind, given, allowed in (
        ("inputs", len(node.input), len(function.input)),
        ("outputs", len(node.output), len(function.output)),
    ):
        if given > allowed:
            raise ModelError(f"{label}: {name} has {allowed} {kind}, got {given}; remove the others")
    missing = callee.required.difference(attribute.name for attribute in node.attribute)
    if missing:
        raise ModelError(f"{label}: {name} needs the attribute {shown(min(missing))}; give it at the call")


def check_left_out(main: Owner, functions: Mapping[FunctionKey, Owner], order: Iterable[FunctionKey]) -> None:
    """Refuse calls that leave out an input which the body can't do without.

    Args:
        main: The model's own graph.
        functions: The functions.
        order: Their keys, callees before callers.
    """
    positions: dict[FunctionKey, list[int]] = {}
    for key in order:
        owner = functions[key]
        _check_calls_in(owner, positions)
        assert owner.function is not None
        positions[key] = [i for i, name in enumerate(owner.function.input) if name in owner.needed]
    _check_calls_in(main, positions)


def _check_calls_in(owner: Owner, positions: Mapping[FunctionKey, list[int]]) -> None:
    for key, node, label in owner.calls:
        for index in positions[key]:
            if index >= len(node.input) or not node.input[index]:
                raise ModelError(f"{label}: function {_name(key)} needs its input {index}; give it at the call")
            owner.needed.add(node.input[index])


def check_expansion(main: Owner, functions: Mapping[FunctionKey, Owner]) -> list[FunctionKey]:
    """Refuse call cycles, deep call chains and expansions beyond the budget, without expanding anything.

    Linear in functions and distinct calls: each function's expanded size comes once from its callees'.

    Returns:
        The functions, callees before callers.
    """
    order = _callees_first(functions)
    nodes: dict[FunctionKey, int] = {}
    depth: dict[FunctionKey, int] = {}
    for key in order:
        owner = functions[key]
        nodes[key] = _inlined(owner, nodes)
        depth[key] = 1 + max((depth[callee] for callee in owner.callees), default=0)
        if depth[key] > MAX_CALL_DEPTH:
            raise ModelError(f"function {_name(key)}: calls go more than {MAX_CALL_DEPTH} functions deep; inline some")
    total = _inlined(main, nodes)
    if total > MAX_INLINED_NODES:
        raise ModelError(
            f"model: has {_count(total)} nodes after its functions are inlined, at most "
            f"{MAX_INLINED_NODES} are allowed; export it with fewer calls"
        )
    return order


def _callees_first(functions: Mapping[FunctionKey, Owner]) -> list[FunctionKey]:
    try:
        return list(TopologicalSorter({key: owner.callees for key, owner in functions.items()}).static_order())
    except CycleError as problem:
        cycle: list[FunctionKey] = problem.args[1]
        raise ModelError(
            f"function {_name(cycle[0])}: calls itself through {len(cycle) - 1} calls; remove one"
        ) from problem


def _inlined(owner: Owner, nodes: Mapping[FunctionKey, int]) -> int:
    return owner.nodes + sum(count * nodes[callee] for callee, count in owner.callees.items())


def _count(nodes: int) -> str:
    """A number that can have thousands of digits, which Python would refuse to print."""
    return str(nodes) if nodes < 10**12 else f"more than 2**{nodes.bit_length() - 1}"


def _name(key: FunctionKey) -> str:
    return shown(f"{key[0]}::{key[1]}")


def _check_head(function: FunctionProto) -> None:
    check_name(function.name, "name of a function")
    check_name(function.domain, "domain of a function")
    label = function_label(function)
    check_name(function.overload, f"{label}: overload")
    check_names(function.input, f"{label}: input")
    check_names(function.output, f"{label}: output")
    check_names(function.attribute, f"{label}: attribute")
    check_text(function.doc_string, f"{label}: doc_string")
    check_properties(function.metadata_props, label)
    if not function.name:
        raise ModelError(f"{label}: has no name; give it one")
    names = [*function.attribute, *(default.name for default in function.attribute_proto)]
    if len(set(names)) != len(names):
        raise ModelError(f"{label}: declares an attribute twice; keep one of them")
