"""Model-local functions: no cycles, bounded depth and size after inlining, calls that fit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onnx import FunctionProto, ModelProto, NodeProto

from dovetail.ir.door.blocks import FunctionKey, function_key
from dovetail.ir.door.budgets import MAX_CALL_DEPTH, MAX_INLINED_NODES
from dovetail.ir.door.names import check_name, check_names, check_properties, check_text, function_label
from dovetail.plan.errors import ModelError
from dovetail.plan.files import shown


@dataclass(slots=True)
class Calls:
    """What one function, or the graph of the model, holds: its bodies are counted in."""

    nodes: int = 0
    """Nodes that are not calls."""
    callees: Counter[FunctionKey] = field(default_factory=Counter)
    made: list[tuple[FunctionKey, NodeProto, str]] = field(default_factory=list)
    """Each call with its node and the node's label."""
    needed: set[str] = field(default_factory=set)
    """Values that the body of a function can't do without."""

    def add(self, callee: FunctionKey, node: NodeProto, label: str) -> None:
        """Note a call."""
        self.callees[callee] += 1
        self.made.append((callee, node, label))


@dataclass(frozen=True, slots=True)
class _Expanded:
    nodes: int
    depth: int


def function_table(model: ModelProto) -> dict[FunctionKey, FunctionProto]:
    """The functions of a model by what a node calls them by.

    Raises:
        ModelError: If a function is defined twice or its names can't be used.
    """
    table: dict[FunctionKey, FunctionProto] = {}
    for function in model.functions:
        _check_function(function)
        key = function_key(function)
        if key in table:
            raise ModelError(f"{function_label(function)}: is defined twice; keep one of them")
        table[key] = function
    return table


def check_call(node: NodeProto, function: FunctionProto, label: str) -> None:
    """Refuse a call whose inputs, outputs or attributes don't fit the function."""
    callee = function_label(function)
    if len(node.input) > len(function.input):
        raise ModelError(
            f"{label}: {callee} takes {len(function.input)} inputs, got {len(node.input)}; remove the others"
        )
    if len(node.output) > len(function.output):
        raise ModelError(
            f"{label}: {callee} has {len(function.output)} outputs, got {len(node.output)}; remove the others"
        )
    missing = set(function.attribute) - {attribute.name for attribute in node.attribute}
    if missing:
        raise ModelError(f"{label}: {callee} needs the attribute {shown(min(missing))}; give it at the call")


def check_needed_inputs(node: NodeProto, function: FunctionProto, needed: set[str], label: str) -> list[str]:
    """Refuse a call that leaves out an input which the body can't do without.

    Returns:
        The values that the call passes on to such inputs.
    """
    passed = []
    for index, name in enumerate(function.input):
        if name not in needed:
            continue
        if index >= len(node.input) or not node.input[index]:
            raise ModelError(
                f"{label}: {function_label(function)} needs its input {shown(name)}; give it at the call"
            )
        passed.append(node.input[index])
    return passed


def check_expansion(main: Calls, functions: Mapping[FunctionKey, Calls]) -> list[FunctionKey]:
    """Refuse call cycles, deep call chains and expansions beyond the budget, without expanding anything.

    Linear in functions and distinct calls: each function's expanded size is computed once, from its callees'.

    Returns:
        The functions, callees before callers.
    """
    expanded: dict[FunctionKey, _Expanded] = {}
    for start in functions:
        _expand_from(start, functions, expanded)
    total = _sum(main, expanded)
    if total.nodes > MAX_INLINED_NODES:
        raise ModelError(
            f"model: has {_count(total.nodes)} nodes after its functions are inlined, at most "
            f"{MAX_INLINED_NODES} are allowed; export it with fewer calls"
        )
    return list(expanded)


def _expand_from(
    start: FunctionKey, functions: Mapping[FunctionKey, Calls], expanded: dict[FunctionKey, _Expanded]
) -> None:
    """Depth-first with its own stack: a chain of 5000 functions must end in an error, not in a crash."""
    path: dict[FunctionKey, Iterable[FunctionKey]] = {}
    key: FunctionKey | None = start
    while key is not None:
        if key not in path and key not in expanded:
            path[key] = iter(functions[key].callees)
        key = _next_open(functions, path, expanded)


def _next_open(
    functions: Mapping[FunctionKey, Calls],
    path: dict[FunctionKey, Iterable[FunctionKey]],
    expanded: dict[FunctionKey, _Expanded],
) -> FunctionKey | None:
    """The next callee to go into; functions at the end of the path that have none left are closed."""
    while path:
        current, callees = next(reversed(path.items()))
        for callee in callees:
            if callee in path:
                raise ModelError(
                    f"function {_name(callee)}: calls itself through {_name(current)}; remove the call"
                )
            if callee not in expanded:
                return callee
        del path[current]
        expanded[current] = _sum(functions[current], expanded)
        if expanded[current].depth > MAX_CALL_DEPTH:
            raise ModelError(
                f"function {_name(current)}: calls go more than {MAX_CALL_DEPTH} functions deep; inline some"
            )
    return None


def _sum(calls: Calls, expanded: Mapping[FunctionKey, _Expanded]) -> _Expanded:
    nodes = calls.nodes + sum(count * expanded[key].nodes for key, count in calls.callees.items())
    depth = 1 + max((expanded[key].depth for key in calls.callees), default=0)
    return _Expanded(nodes, depth)


def _count(nodes: int) -> str:
    """A number that can have thousands of digits, which Python would refuse to print."""
    return str(nodes) if nodes < 10**12 else f"more than 2**{nodes.bit_length() - 1}"


def _name(key: FunctionKey) -> str:
    return shown(f"{key[0]}::{key[1]}")


def _check_function(function: FunctionProto) -> None:
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
