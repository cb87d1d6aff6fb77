"""The head of a model: an empty or cut file parses as valid protobuf, so what must be there is asked for."""

from collections.abc import Sequence

import onnx
from onnx import ModelProto, OperatorSetIdProto

from dovetail.ir.door.names import check_name, check_properties, check_text
from dovetail.ir.door.operators import newest_opsets
from dovetail.plan.errors import ModelError
from dovetail.plan.naming import shown

_OLDEST_IR_VERSION = 3
"""The first that has opset imports; nothing writes older ones since 2017."""


def check_header(model: ModelProto) -> None:
    """Refuse a file that parses but is not a model that can be run."""
    newest = int(onnx.IR_VERSION)
    if not model.HasField("ir_version"):
        raise ModelError("model: has no ir_version, it is no ONNX model or only a part of one; give a whole .onnx file")
    if not _OLDEST_IR_VERSION <= model.ir_version <= newest:
        raise ModelError(
            f"model: ir_version must be in [{_OLDEST_IR_VERSION}, {newest}], got {model.ir_version}; "
            "export it for a version in this range, or install a newer onnx"
        )
    if not model.HasField("graph"):
        raise ModelError("model: has no graph, it is cut or no ONNX model; give a whole .onnx file")
    if not model.graph.output:
        raise ModelError("model: its graph has no output, it is cut or computes nothing; give a whole .onnx file")
    if not model.opset_import:
        raise ModelError("model: has no opset_import, it is cut or no ONNX model; give a whole .onnx file")
    check_name(model.domain, "domain of the model")
    for field in ("producer_name", "producer_version", "doc_string"):
        check_text(getattr(model, field), f"{field} of the model")
    check_properties(model.metadata_props, "the model")


def check_opsets(imports: Sequence[OperatorSetIdProto], owner: str) -> dict[str, int]:
    """Refuse opset imports that contradict each other or that the installed onnx does not know.

    Args:
        imports: The imports; ONNX's own domain is spelled `""` in them.
        owner: The model or the function, for messages.

    Returns:
        The version by domain.
    """
    opsets: dict[str, int] = {}
    for entry in imports:
        check_name(entry.domain, f"{owner}: domain of an opset_import")
        domain = entry.domain
        if opsets.get(domain, entry.version) != entry.version:
            raise ModelError(
                f"{owner}: imports domain {shown(domain or 'ai.onnx')} at versions {opsets[domain]} and "
                f"{entry.version}; keep one"
            )
        newest = newest_opsets().get(domain)
        if entry.version < 1 or (newest is not None and entry.version > newest):
            allowed = f"in [1, {newest}]" if newest is not None else "at least 1"
            raise ModelError(
                f"{owner}: the version of domain {shown(domain or 'ai.onnx')} must be {allowed}, got "
                f"{entry.version}; convert the model or install a newer onnx"
            )
        opsets[domain] = entry.version
    return opsets
