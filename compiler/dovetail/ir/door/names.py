"""Names and texts of a model: valid UTF-8, of sane length, without NUL."""

from collections.abc import Iterable

from onnx import FunctionProto, NodeProto, StringStringEntryProto

from dovetail.ir.door.budgets import MAX_NAME_LENGTH
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

_SHOWN_BYTES = 40


def check_name(name: str, what: str) -> None:
    """Refuse a name that later steps can't print, compare or hand to native code.

    Args:
        name: The name. Protobuf gives `bytes` where the file holds invalid UTF-8.
        what: The object for the message, for example `name of a node`.
    """
    check_text(name, what)
    if len(name) > MAX_NAME_LENGTH:
        raise ModelError(
            f"{what} {shown(name)}: has {len(name)} characters, at most {MAX_NAME_LENGTH} are allowed; shorten it"
        )
    if "\0" in name:
        raise ModelError(f"{what} {shown(name)}: holds a NUL character; rename it")


def check_names(names: Iterable[str], what: str) -> None:
    """`check_name` for each of `names`."""
    for name in names:
        check_name(name, what)


def check_text(text: str, what: str) -> None:
    """Refuse text that is not valid UTF-8."""
    if not isinstance(text, str):
        raise ModelError(f"{what} {text[:_SHOWN_BYTES]!r}: is not valid UTF-8; export the model again")


def check_properties(properties: Iterable[StringStringEntryProto], what: str) -> None:
    """Refuse metadata that is not valid UTF-8."""
    for entry in properties:
        check_text(entry.key, f"metadata of {what}: key")
        check_text(entry.value, f"metadata of {what}: value")


def quoted(name: str) -> str:
    """A name for a message, also where it is not checked yet."""
    return shown(name if isinstance(name, str) else repr(name))


def node_label(node: NodeProto, index: int, where: str) -> str:
    """How messages name a node: its name, or its position where it has none."""
    name = quoted(node.name) if node.name else f"#{index}"
    return f"node {name} ({quoted(node.op_type)[1:-1] or 'no op_type'}){where}"


def function_label(function: FunctionProto) -> str:
    """How messages name a model-local function."""
    return f"function {quoted(f'{function.domain}::{function.name}')}"
