"""Tensors of other libraries between partitions, and ONNX Runtime without its native layer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.plan import BackendSpec, PlanDevice, RunError
from dovetail.runtime import Executor, binding
from dovetail.runtime.values import dtype_of, shape_of, to_array, to_ort, to_value

torch = pytest.importorskip("torch")

PlanFromText = Callable[..., Path]
OwnDevice = Any

OWN = PlanDevice("npu", "npu", "a device of the test's own", BackendSpec("OwnBackend"))
RELU = "npu: p (float[2,3] x) => (float[2,3] a) { a = Relu(x) }"
NEG = "npu: p (float[2,3] a) => (float[2,3] b) { b = Neg(a) }"
TWICE = "cpu: p (float[2,3] b) => (float[2,3] y) { y = Add(b, b) }"
X = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
Y = -2 * np.maximum(X, 0)


@pytest.mark.parametrize("last", ["cpu", "npu"])
def test_tensors_of_pytorch_reach_every_kind_of_reader(
    plan_from_text: PlanFromText, own_device: OwnDevice, last: str
) -> None:
    own_device.spoils = lambda outputs: [torch.from_numpy(each.copy()) for each in outputs]
    plan = plan_from_text(RELU, NEG, TWICE.replace("cpu:", f"{last}:"), devices=[OWN], outputs=("a", "y"))
    with Executor(plan, strict=True) as executor:
        outputs = executor.run({"x": X})
        assert set(executor.placement.values()) == {"npu", last}
    np.testing.assert_array_equal(outputs["y"], Y)
    np.testing.assert_array_equal(outputs["a"], np.maximum(X, 0))
    assert all(type(array) is np.ndarray and array.flags.writeable for array in outputs.values())


def test_tensors_that_are_not_in_rows_are_brought_in_order(plan_from_text: PlanFromText, own_device: OwnDevice) -> None:
    own_device.spoils = lambda outputs: [torch.from_numpy(np.asfortranarray(each)) for each in outputs]
    with Executor(plan_from_text(RELU, NEG, TWICE, devices=[OWN]), strict=True) as executor:
        np.testing.assert_array_equal(executor.run({"x": X})["y"], Y)


def test_type_and_shape_in_the_words_of_a_plan() -> None:
    tensor = torch.zeros((2, 0), dtype=torch.int64)
    assert (dtype_of(tensor), shape_of(tensor)) == ("int64", (2, 0))
    assert (dtype_of(X), shape_of(X)) == ("float32", (2, 3))
    assert dtype_of(np.array(["a"])) == dtype_of(np.array(["a"], object)) == "string"
    value = to_ort(X, "x")
    assert (dtype_of(value), shape_of(value)) == ("float32", (2, 3))
    assert dtype_of(torch.zeros(1, dtype=torch.bool)) == "bool"


def test_tensors_share_their_memory() -> None:
    tensor = torch.zeros(4)
    assert to_array(tensor, "t").ctypes.data == tensor.data_ptr()
    assert to_array(to_ort(tensor, "t"), "t").ctypes.data == tensor.data_ptr()
    assert to_array(to_value(X, "x"), "x").ctypes.data == X.ctypes.data


def test_a_type_that_numpy_does_not_have_is_an_error() -> None:
    with pytest.raises(RunError, match="output 't': NumPy has no type for bfloat16; cast it in the model"):
        to_array(torch.zeros(4, dtype=torch.bfloat16), "t")


@pytest.mark.parametrize("shape", ["[2,3]", "[n,m]"])
def test_the_public_layer_of_onnxruntime_does_the_same(
    plan_from_text: PlanFromText, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    # as with a version of onnxruntime that names its native objects otherwise
    monkeypatch.setattr(binding, "_native_device", lambda: None)
    texts = [text.replace("npu:", "cpu:").replace("[2,3] a", f"{shape} a") for text in (RELU, NEG, TWICE)]
    with Executor(plan_from_text(*texts, outputs=("a", "y"))) as executor:
        results = [executor.run({"x": X + number}) for number in range(3)]
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result["a"], np.maximum(X + number, 0))
        np.testing.assert_array_equal(result["y"], -2 * np.maximum(X + number, 0))
