"""Models of one operator, made from ONNX's own node tests, in the forms in which a compiler meets operators."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase

Array = npt.NDArray[np.generic]

FORMS = ("inputs", "constants", "quantized inputs", "quantized constants")
"""As the test has it; every input but the first a constant; both again with uint8 Q/DQ around every float32."""
NEWEST_OPSET = 26
"""The newest that ONNX Runtime 1.31 knows; tests of newer ones are lowered where the operator is the same."""

MAIN = "main"
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_QUANTIZERS = (_Q, _DQ, "DynamicQuantizeLinear")
_PARAMETERS = {"Resize": (1, 2), "Upsample": (1,), "NonMaxSuppression": (3, 4)}
"""Floats that are no data: positions of inputs that no quantizer puts Q/DQ in front of."""
_HAS_BIAS = ("Conv", "ConvTranspose", "Gemm")


@dataclass(frozen=True, slots=True)
class Case:
    """A model whose operator in question is the node `main`."""

    name: str
    form: str
    model: onnx.ModelProto

    @property
    def op_type(self) -> str:
        """The operator in question."""
        return str(next(node.op_type for node in self.model.graph.node if node.name == MAIN))


def node_tests() -> Iterator[Case]:
    """Every single-node test, in every form that it has."""
    for test in collect_testcases(None):
        if test.model is None or len(test.model.graph.node) != 1:
            continue
        model = _normalized(test.model)
        yield Case(test.name, "inputs", _accompanied(model))
        fixed = _with_constants(model, test)
        if fixed is not None:
            yield Case(test.name, "constants", _accompanied(fixed))
        given = _given(model, test)
        for form, plain in (("quantized inputs", model), ("quantized constants", fixed)):
            quantized = _quantized(plain, given, test) if plain is not None else None
            if quantized is not None:
                yield Case(test.name, form, quantized)


def _normalized(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(copy.ir_version, 12)
    node = copy.graph.node[0]
    node.name = MAIN
    for entry in copy.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = _known_opset(node, entry.version)
    return copy


def _known_opset(node: onnx.NodeProto, version: int) -> int:
    """The newest opset that ONNX Runtime knows and that defines the operator as `version` does.

    An operator whose definition is newer gets the one before: what a revision adds (types, mostly) is then refused by
    the CPU provider, and the test left out.
    """
    if node.domain not in ("", "ai.onnx"):
        return min(version, NEWEST_OPSET)
    meant = defs.get_schema(node.op_type, version).since_version
    for candidate in range(NEWEST_OPSET, meant - 1, -1):
        if defs.get_schema(node.op_type, candidate).since_version == meant:
            return candidate
    return NEWEST_OPSET if defs.has(node.op_type, NEWEST_OPSET) else version


def _accompanied(model: onnx.ModelProto) -> onnx.ModelProto:
    """A Relu on the float side of a lone Q/DQ node: providers leave a partition of Q/DQ alone to the host."""
    node = model.graph.node[0]
    if node.op_type not in _QUANTIZERS:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    node = copy.graph.node[0]
    if node.op_type == _DQ:
        copy.graph.node.append(helper.make_node("Relu", [node.output[0]], ["company"], name="company"))
        copy.graph.output[0].name = "company"
    else:
        copy.graph.node.insert(0, helper.make_node("Relu", [node.input[0]], ["company"], name="company"))
        copy.graph.node[1].input[0] = "company"
    return copy


def _with_constants(model: onnx.ModelProto, test: TestCase) -> onnx.ModelProto | None:
    """Every input but the first as an initializer; None where there is none, or its value is no tensor."""
    given = _given(model, test)
    if len(given) < 2:
        return None
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    inputs = list(copy.graph.input)
    for declared in inputs[1:]:
        value = given.get(declared.name)
        tensor = _as_tensor(value, declared) if value is not None else None
        if tensor is None:
            return None
        copy.graph.initializer.append(tensor)
    del copy.graph.input[1:]
    return copy


def _given(model: onnx.ModelProto, test: TestCase) -> dict[str, object]:
    if not test.data_sets:
        return {}
    return dict(zip((value.name for value in model.graph.input), test.data_sets[0][0], strict=False))


def _as_tensor(value: object, declared: onnx.ValueInfoProto) -> TensorProto | None:
    if not declared.type.HasField("tensor_type"):
        return None
    try:
        tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
    except (TypeError, ValueError, KeyError):
        return None
    if tensor.data_type != declared.type.tensor_type.elem_type:
        return None
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.name = declared.name
    return copy


def _quantized(model: onnx.ModelProto, given: dict[str, object], test: TestCase) -> onnx.ModelProto | None:
    """The model with uint8 Q/DQ around every float32 tensor; None where none goes in, or it quantizes itself."""
    node = model.graph.node[0]
    if node.op_type in _QUANTIZERS or node.op_type.startswith("QLinear") or not test.data_sets or node.domain:
        return None
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for entry in copy.opset_import:
        entry.version = max(entry.version, 10)
    quantizer = _Quantizer(copy, given)
    results = dict(zip((value.name for value in model.graph.output), test.data_sets[0][1], strict=False))
    return copy if quantizer.quantize(results) else None


class _Quantizer:
    """Puts Q/DQ around the only node of a model, in place."""

    def __init__(self, model: onnx.ModelProto, given: dict[str, object]) -> None:
        self.graph = model.graph
        self.node = model.graph.node[0]
        self.given = given
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.scales: list[float] = []

    def quantize(self, results: dict[str, object]) -> bool:
        """Returns whether any float32 goes in."""
        floats = [value.name for value in self.graph.input if _is_float(value)]
        floats += [name for name, tensor in self.constants.items() if tensor.data_type == TensorProto.FLOAT]
        kept = _PARAMETERS.get(self.node.op_type, ())
        for position, name in enumerate(list(self.node.input)):
            if name in floats and position not in kept and not self._is_empty(name):
                self._dequantize(position, name)
        if not self.scales:
            return False
        for value in self.graph.output:
            if _is_float(value):
                self._requantize(value, results.get(value.name))
        return True

    def _is_empty(self, name: str) -> bool:
        return _floats(self.given.get(name, ())).size == 0

    def _dequantize(self, position: int, name: str) -> None:
        values = _floats(self.given[name])
        scale, zero = _parameters(values)
        kind: type[np.generic] = np.uint8
        if position == 2 and self.node.op_type in _HAS_BIAS:
            scale, zero, kind = self.scales[0] * self.scales[1], 0, np.int32
        self.scales.append(scale)
        source = f"{name}_q"
        if name in self.constants:
            limits = np.iinfo(np.int32 if kind is np.int32 else np.uint8)
            integers = np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)
            self.graph.initializer.remove(self.constants.pop(name))
            self.graph.initializer.append(numpy_helper.from_array(integers, source))
        else:
            declared = next(value for value in self.graph.input if value.name == name)
            declared.name = source
            declared.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        self._add(_DQ, source, f"{name}_f", scale, np.asarray(zero, dtype=kind))
        self.node.input[position] = f"{name}_f"

    def _requantize(self, declared: onnx.ValueInfoProto, result: object) -> None:
        scale, zero = _parameters(_floats(result))
        name = declared.name
        position = list(self.node.output).index(name)
        self.node.output[position] = f"{name}_f"
        declared.type.tensor_type.elem_type = TensorProto.UINT8
        self._add(_Q, f"{name}_f", name, scale, np.asarray(zero, dtype=np.uint8))

    def _add(self, op_type: str, source: str, result: str, scale: float, zero: Array) -> None:
        names = (f"{result}_{op_type}_scale", f"{result}_{op_type}_zero")
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(scale, dtype=np.float32), names[0]))
        self.graph.initializer.append(numpy_helper.from_array(zero, names[1]))
        made = helper.make_node(op_type, [source, *names], [result], name=f"{result}_{op_type}")
        nodes: Sequence[onnx.NodeProto] = list(self.graph.node)
        self.graph.node.insert(0 if op_type == _DQ else len(nodes), made)
        self.node = next(node for node in self.graph.node if node.name == MAIN)


def _floats(value: object) -> npt.NDArray[np.float32]:
    return np.asarray(numpy_helper.to_array(value) if isinstance(value, TensorProto) else value, dtype=np.float32)


def _is_float(value: onnx.ValueInfoProto) -> bool:
    return value.type.tensor_type.elem_type == TensorProto.FLOAT


def _parameters(values: Array) -> tuple[float, int]:
    """Scale and zero point of uint8 for the finite values of an array."""
    finite = values[np.isfinite(values)]
    low, high = min(0.0, float(finite.min(initial=0))), max(0.0, float(finite.max(initial=0)))
    scale = max(high - low, 1e-6) / 255
    return scale, round(-low / scale)
