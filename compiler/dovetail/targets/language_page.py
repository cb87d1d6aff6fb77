"""The page about the target language: how to write a file, and every kind of rule with its fields."""

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import BaseModel

from dovetail.targets.expression import __doc__ as expressions
from dovetail.targets.field_docs import field_docs
from dovetail.targets.functions import FUNCTIONS, OPERATOR_FUNCTIONS
from dovetail.targets.json_schema import rule_kinds
from dovetail.targets.rules.base import Rule
from dovetail.targets.schema import (
    AnyOperatorPart,
    BackendPart,
    DevicePart,
    FigurePart,
    LinkPart,
    OperatorPart,
    QuantizationPart,
    TargetPart,
    ToolPart,
    VariantDevicePart,
    VariantPart,
)
from dovetail.targets.values import TENSOR_FIELDS

_PREFACE: Final = """\
# The target language

A target file is YAML, plain data: nothing in it is ever run. Use it by its path:

```
dovetail targets check my.yaml
dovetail compile model.onnx -t my.yaml
```

`check` names every mistake with its line, and warns of rules that could never be broken. For completion in an editor,
put this first: `# yaml-language-server: $schema=target.schema.json`.

## A target that is almost another

```yaml
name: my-board
extends: nvidia-orin-dla          # a shipped target, or the path of a file beside this one
limits: {max_partitions: {npu: 4}}
devices:
  gpu: null                       # this board has none
  npu:
    figures:
      dram_gbps: {value: 102.4, unit: GB/s, source: data sheet, verified: true}
    ops:
      Softmax: null               # keep it off the NPU
      Conv:
        rules:
        - {kind: attr_range, attr: kernel_shape, min: 1, max: 7}
```

- Mappings merge, field by field. Everything else replaces what the base has, lists of rules too.
- `null` removes what the base has. To add an operator without limits, write `{}`.
- Devices are told apart by their id. A device that is removed takes its links with it.
- The name is your own. The base must be a whole target; it may extend another one.
"""


_PARTS: Final[dict[str, type[BaseModel]]] = {
    "the file": TargetPart,
    "devices": DevicePart,
    "ops": OperatorPart,
    "any_operator": AnyOperatorPart,
    "backend": BackendPart,
    "tool": ToolPart,
    "quantization": QuantizationPart,
    "figures": FigurePart,
    "variants": VariantPart,
    "devices of a variant": VariantDevicePart,
    "links": LinkPart,
}


def language_page(mark: str) -> str:
    """Return the page; `mark` says that it is generated."""
    lines = [mark, _PREFACE, "## Parts of a file"]
    for title, part in _PARTS.items():
        lines += ["", f"### {title}", "", " ".join((part.__doc__ or "").split()), "", *_fields(part, set())]
    lines += ["", "## Fields of every rule", "", *_fields(Rule, {"kind"}), "", "## Kinds of rules"]
    for kind, rule in rule_kinds().items():
        fields = list(_fields(rule, set(Rule.model_fields) - set(rule.__annotations__) | {"kind"}))
        lines += ["", f"### {kind}", "", " ".join((rule.__doc__ or "").split()), *([""] if fields else []), *fields]
    lines += ["", "## Expressions", "", (expressions or "").strip(), "", "Fields of a tensor: " + _code(TENSOR_FIELDS)]
    lines += ["", f"Functions: {_code([*FUNCTIONS, *OPERATOR_FUNCTIONS, 'inputs', 'implies'])}"]
    return "\n".join(lines) + "\n"


def _fields(model: type[BaseModel], without: set[str]) -> Iterator[str]:
    docs = field_docs(model)
    for name, field in model.model_fields.items():
        if name in without:
            continue
        needed = " (needed)" if field.is_required() else ""
        text = f": {docs[name]}" if name in docs else ""
        yield f"- `{field.alias or name}`{needed}{text}"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
