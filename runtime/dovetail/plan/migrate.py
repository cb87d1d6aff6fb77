"""Plans of older schemas as documents of today's: plain data in, plain data out, one step per version."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dovetail.plan.schema import SCHEMA_VERSION

Document = dict[str, Any]


def migrate(document: Document) -> Document:
    """A plan of any known schema as one of today's; what is not as its schema wants is left for the decoder to name.

    Args:
        document: What `plan.json` holds. It is changed.

    Returns:
        The document, of `SCHEMA_VERSION`; as it was where its version is not a known older one.
    """
    while (step := _STEPS.get(_version(document))) is not None:
        step(document)
    return document


def _version(document: Document) -> int:
    version = document.get("schema_version")
    return version if type(version) is int and 0 < version < SCHEMA_VERSION else 0


def _one_to_two(document: Document) -> None:
    """Schema 2 knows costs, batch sizes, what a model says of itself, and which partitions run at the same time.

    A plan of schema 1 was run in the order of its steps: each of its partitions comes after the one before it.
    """
    document["schema_version"] = 2
    about = {"metadata": {}, "graph": "", "producer": "", "domain": "", "version": 0, "description": ""}
    _complete(document.get("model"), about)
    _complete(document, {"costs": [], "batch": None, "variants": [], "quantization": None})
    _complete(
        document.get("predicted"),
        {
            "serial_latency_ms": None,
            "period_ms": None,
            "value": None,
            "solver": "",
            "timed_out": False,
            "concurrent": False,
            "alternatives": [],
        },
    )
    order = [step.get("partition") for step in _records(document.get("steps"))]
    previous = dict(zip(order[1:], order, strict=False))
    for partition in _records(document.get("partitions")):
        before = previous.get(partition.get("id"))
        _complete(partition, {"after": [] if before is None else [before], "concurrent": [], "compiled_file": None})
    for operator in _records(document.get("operators")):
        for verdict in _records(operator.get("verdicts")):
            _complete(verdict, {"cost": None})


def _two_to_three(document: Document) -> None:
    """Schema 3 knows codes of reasons, and for each operator the one that decided; older plans have only its words.

    It knows what transfers cost, too.
    """
    document["schema_version"] = 3
    parts = (document, *_records(document.get("variants")))
    for transfer in (each for part in parts for each in _records(part.get("transfers"))):
        _complete(transfer, {"cost": None})
    operators = [each for part in parts for each in _records(part.get("operators"))]
    for operator in operators:
        _complete(operator, {"fallback": None})
        for verdict in _records(operator.get("verdicts")):
            for reason in _records(verdict.get("reasons")):
                _complete(reason, {"code": ""})


def _complete(record: object, defaults: Mapping[str, object]) -> None:
    if isinstance(record, dict):
        for name, value in defaults.items():
            record.setdefault(name, value)


def _records(items: object) -> list[Document]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


_STEPS: Final[Mapping[int, Callable[[Document], None]]] = {1: _one_to_two, 2: _two_to_three}
