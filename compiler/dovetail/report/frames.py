"""A plan as tables of pandas, where that is installed."""

import importlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from dovetail.plan.errors import DovetailError
from dovetail.plan.schema import Plan
from dovetail.report.summary import boundary

if TYPE_CHECKING:  # pandas is nobody's dependency
    import pandas

Rows = Literal["operators", "partitions"]


def to_dataframe(plan: Plan, rows: Rows = "operators") -> "pandas.DataFrame":
    """Return the operators or the partitions of a plan as a table of pandas.

    Args:
        plan: of several batch sizes, the first is shown.
        rows: `operators`: name, op_type, domain, device, partition, unit, code and reason (why it is not on the first
            device), inside (the operator whose body holds it), origins, latency_us and energy_uj of its unit (at the
            unit's main operator alone), and a column `on DEVICE` with the verdict of every device. `partitions`:
            partition, device, kind, operators, bytes_in, bytes_out, start_ms, end_ms, latency_ms, energy_mj, file. What
            is not known is missing.

    Raises:
        DovetailError: pandas is not installed, or there are no such rows.
    """
    if rows not in ("operators", "partitions"):
        raise DovetailError(f"data frame: rows must be operators or partitions, got {rows!r}; choose one of them")
    try:
        library = importlib.import_module("pandas")
    except ImportError as problem:
        raise DovetailError("data frame: needs pandas, which is not installed; run 'pip install pandas'") from problem
    table: pandas.DataFrame = library.DataFrame([*(_operators(plan) if rows == "operators" else _partitions(plan))])
    return table


def _operators(plan: Plan) -> Iterator[dict[str, Any]]:
    for operator in plan.operators:
        cost = operator.cost or {}
        yield {
            "name": operator.name,
            "op_type": operator.op_type,
            "domain": operator.domain,
            "device": operator.device,
            "partition": operator.partition,
            "unit": operator.unit,
            "code": operator.fallback.code if operator.fallback else "",
            "reason": operator.reason,
            "inside": operator.inside,
            "origins": ", ".join(operator.origins),
            "latency_us": cost.get("latency_us"),
            "energy_uj": cost.get("energy_uj"),
            **{f"on {verdict.device}": verdict.state for verdict in operator.verdicts},
        }


def _partitions(plan: Plan) -> Iterator[dict[str, Any]]:
    counts = Counter(operator.partition for operator in plan.operators if not operator.inside)
    for partition in plan.partitions:
        predicted = partition.predicted or {}
        yield {
            "partition": partition.id,
            "device": partition.device,
            "kind": partition.kind,
            "operators": counts[partition.id],
            "bytes_in": boundary(partition.inputs).bytes,
            "bytes_out": boundary(partition.outputs).bytes,
            **{name: predicted.get(name) for name in ("start_ms", "end_ms", "latency_ms", "energy_mj")},
            "file": partition.file,
        }
