"""The words that the ONNX standard has for an operator, over all its versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import onnx


@dataclass(frozen=True, slots=True)
class OpWords:
    """Formal names of an operator, in the order of its newest version, older ones behind."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, str]
    """Name -> type, such as `INTS`."""
    variadic: bool
    """The last input stands for any number."""


@cache
def _history() -> Mapping[tuple[str, str], list[onnx.defs.OpSchema]]:
    found: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    return found


@cache
def op_words(op_type: str, domain: str = "") -> OpWords | None:
    """Return the words of an operator; None where ONNX does not define it."""
    versions = sorted(_history().get((domain, op_type), ()), key=lambda schema: -schema.since_version)
    if not versions:
        return None
    attributes = {name: str(a.type).rpartition(".")[2] for s in versions for name, a in s.attributes.items()}
    newest = versions[0].inputs
    return OpWords(
        inputs=tuple(dict.fromkeys(formal.name for schema in versions for formal in schema.inputs)),
        outputs=tuple(dict.fromkeys(formal.name for schema in versions for formal in schema.outputs)),
        attributes=attributes,
        variadic=bool(newest) and newest[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic,
    )
