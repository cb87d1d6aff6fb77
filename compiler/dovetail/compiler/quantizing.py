"""The choice between a float model and its quantized form: by what each is predicted to cost, and what int8 loses."""

from dataclasses import dataclass, replace
from typing import Final

from dovetail.compiler.calibration import read_samples
from dovetail.compiler.options import CompileOptions, QuantizeOptions
from dovetail.ir import Graph, dtype_name, extract, tensor_spec
from dovetail.lowering.quantize import Quantized, quantize
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.plan.errors import ModelError
from dovetail.plan.schema import OBJECTIVE_UNITS, Plan, Quantization
from dovetail.targets.schema import QuantizationPart

_INTEGER_OPS: Final = frozenset(["ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"])
_OTHER_FLOATS: Final = frozenset(["float16", "bfloat16", "float64"])
_FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Values:
    """What the objective is predicted to be, over all batch sizes; None where no placement keeps the bounds."""

    floats: float | None
    integers: float | None


def quantize_graph(graph: Graph, scheme: QuantizationPart, options: QuantizeOptions) -> Quantized:
    """Quantize a prepared graph for a device's scheme.

    Raises:
        ModelError: it is quantized already, takes text, or can't be quantized.
        RunError: the samples can't be used.
    """
    _check(graph)
    specs = [tensor_spec(value) for value in graph.inputs]
    return quantize(extract(graph), graph.name, read_samples(specs, options.calibration), scheme, options.min_snr_db)


def _check(graph: Graph) -> None:
    for node in graph.nodes():
        kind = node.op_type
        if is_quantize(node) or is_dequantize(node) or kind in _INTEGER_OPS or kind.startswith("QLinear"):
            raise ModelError(
                f"model '{graph.name}': it is quantized already, '{node.name}' is a {kind}; leave out --quantize"
            )
        for value in node.outputs:
            if (dtype := dtype_name(value)) in _OTHER_FLOATS:
                raise ModelError(
                    f"model '{graph.name}': only models of float32 can be quantized, '{node.name}' makes {dtype}; "
                    "convert it"
                )
    for value in graph.inputs:
        if tensor_spec(value).dtype == "string":
            raise ModelError(
                f"model '{graph.name}': input '{value.name}' takes text, and only models of numbers can be quantized; "
                "leave out --quantize"
            )


def decide(made: Quantized, values: Values, scheme: QuantizationPart, options: CompileOptions) -> Quantization:
    """The record of the choice."""
    assert options.quantize is not None
    pays = values.integers is not None and (values.floats is None or values.integers < values.floats)
    taken = made.model is not None and pays
    bound = options.quantize.min_snr_db
    return Quantization(
        precision=options.quantize.precision,
        scheme=scheme.words(),
        taken=taken,
        reason=_reason(made, values, options.objective, bound),
        samples=made.samples,
        held_out=made.held_out,
        min_snr_db=bound,
        snr_db=dict(made.snr_db),
        operators_db=dict(made.operators_db),
        kept_float=made.kept_float,
        float_value=values.floats,
        quantized_value=values.integers,
        ranges=dict(made.ranges),
    )


def _reason(made: Quantized, values: Values, objective: str, bound: float) -> str:
    if not made.quantizable:
        return "float stays: none of the operators can be quantized"
    if made.model is None:
        worst = min(made.snr_db.values(), default=0.0)
        return (
            f"float stays: in int8 the outputs are only {worst:.1f} dB above their error, {bound:g} dB are wanted, and "
            "with as many operators in float as that takes none is left in int8"
        )
    unit = OBJECTIVE_UNITS.get(objective, "")
    if values.integers is None:
        return "float stays: no placement of the quantized model keeps the bounds and pins"
    integers = f"{values.integers:.3g} {unit}"
    if values.floats is None:
        return f"int8 is taken: {integers} predicted, and no placement in float keeps the bounds and pins{_kept(made)}"
    floats = f"{values.floats:.3g} {unit}"
    if values.integers >= values.floats:
        return f"float stays: int8 is predicted to cost {integers}, float {floats} ({objective})"
    return f"int8 is taken: {integers} predicted instead of {floats} ({objective}){_kept(made)}"


def _kept(made: Quantized) -> str:
    names = made.kept_float
    if not names:
        return ""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"; in float, for they lose too much: {', '.join(map(repr, names[:_FEW]))}{more}"


def with_quantization(plan: Plan, record: Quantization | None) -> Plan:
    """A plan that says how it was chosen."""
    return plan if record is None else replace(plan, quantization=record, notes=(*plan.notes, record.reason))
