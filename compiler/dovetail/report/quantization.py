"""What quantization gains beside what it loses, in a line or two."""

from collections.abc import Iterator

from rich.text import Text

from dovetail.plan.schema import OBJECTIVE_UNITS, Quantization
from dovetail.report.console import STATE_STYLE, words
from dovetail.report.figures import amount
from dovetail.report.words import counted


def quantization_rows(record: Quantization | None, objective: str) -> Iterator[tuple[str, Text]]:
    """The rows of a plan for which quantization was asked for: what each form costs, and how close int8 comes."""
    if record is None:
        return
    taken = (record.precision, STATE_STYLE["supported"]) if record.taken else ("no, float", STATE_STYLE["unsupported"])
    yield "quantized", words(taken, f": {_gain(record, objective)} ({record.scheme})")
    yield "accuracy", words(_cost(record))


def _gain(record: Quantization, objective: str) -> str:
    unit = OBJECTIVE_UNITS.get(objective, "")
    floats, integers = record.float_value, record.quantized_value
    if integers is None:
        return f"{objective} {amount(floats, unit)} in float, no figure for {record.precision}"
    if floats is None:
        return f"{objective} {amount(integers, unit)}, none in float"
    ratio = f", {floats / integers:.2f} times less" if 0 < integers < floats else ""
    return f"{objective} {amount(integers, unit)}, {amount(floats, unit)} in float{ratio}"


def _cost(record: Quantization) -> str:
    if not record.snr_db:
        return "no output to compare"
    name, worst = min(record.snr_db.items(), key=lambda pair: pair[1])
    kept = f", {counted(len(record.kept_float), 'operator')} kept in float" if record.kept_float else ""
    return (
        f"'{name}' {worst:.1f} dB above its error, {record.min_snr_db:g} dB wanted; on "
        f"{counted(record.held_out, 'sample')} held out, ranges from {record.samples}{kept}"
    )
