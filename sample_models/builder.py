"""Writes small ONNX models node by node, with weights that are the same bytes on every machine."""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the version that came with opset 17, so that old runtimes load the files
RELU_GAIN = math.sqrt(6.0)  # He: keeps the variance through a ReLU
LINEAR_GAIN = math.sqrt(3.0)  # Lecun: keeps the variance where no activation follows


class GraphBuilder:
    """A graph under construction; each method adds a node and returns the name of its output.

    A node's name is the caller's (`features.3.conv`); its output is `features.3.conv_out`, and its
    constants are `features.3.conv.weight` and so on. Used for subgraphs too, which may name the values of
    the graph around them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._known: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int], dtype: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> None:
        """Makes `value` a graph output called `name`."""
        for node in self._nodes:
            node.output[:] = [name if output == value else output for output in node.output]
            node.input[:] = [name if operand == value else operand for operand in node.input]
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def declare(self, value: str, shape: Sequence[int], dtype: int = TensorProto.FLOAT) -> str:
        """States a shape that ONNX's shape inference can't find, such as a Loop's output."""
        self._known.append(helper.make_tensor_value_info(value, dtype, shape))
        return value

    def constant(self, name: str, array: np.ndarray | np.generic) -> str:
        self._constants.setdefault(name, numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def weight(self, name: str, shape: Sequence[int], bound: float) -> str:
        """A constant with values uniform in [-bound, bound)."""
        return self.constant(name, self._uniform(name, shape, bound))

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        return self.nodes(op, inputs, name, 1, **attributes)[0]

    def nodes(self, op: str, inputs: Sequence[str], name: str, count: int, **attributes: Any) -> list[str]:
        """Adds a node with `count` outputs."""
        outputs = [f"{name}_out"] if count == 1 else [f"{name}_out{index}" for index in range(count)]
        self._nodes.append(helper.make_node(op, inputs, outputs, name, **attributes))
        return outputs

    def conv(
        self,
        x: str,
        name: str,
        channels: tuple[int, int],
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        gain: float = RELU_GAIN,
        bias: bool = True,
    ) -> str:
        """A square convolution, padded so that stride 1 keeps the size; `channels` are (in, out)."""
        c_in, c_out = channels
        bound = gain / math.sqrt(c_in // groups * kernel * kernel)
        inputs = [x, self.weight(f"{name}.weight", (c_out, c_in // groups, kernel, kernel), bound)]
        if bias:
            inputs.append(self.weight(f"{name}.bias", (c_out,), 0.1))
        return self.node(
            "Conv",
            inputs,
            name,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            group=groups,
        )

    def batch_norm(self, x: str, name: str, channels: int) -> str:
        """An inference BatchNormalization whose statistics are near, not at, the neutral ones."""
        scale, bias, mean, variance = self._uniform(name, (4, channels), 0.1)
        statistics = {"weight": 1 + scale, "bias": bias, "running_mean": mean, "running_var": 1 + variance}
        return self.node(
            "BatchNormalization", [x, *(self.constant(f"{name}.{k}", v) for k, v in statistics.items())], name
        )

    def relu(self, x: str, name: str) -> str:
        return self.node("Relu", [x], name)

    def relu6(self, x: str, name: str) -> str:
        bounds = [self.constant(f"relu6.{k}", np.float32(v)) for k, v in (("min", 0), ("max", 6))]
        return self.node("Clip", [x, *bounds], name)

    def pool(self, op: str, x: str, name: str, kernel: int, stride: int) -> str:
        """MaxPool or AveragePool without padding."""
        return self.node(op, [x], name, kernel_shape=[kernel] * 2, strides=[stride] * 2)

    def linear(self, x: str, name: str, features: tuple[int, int]) -> str:
        """Gemm with a weight of (out, in), as PyTorch writes it; `features` are (in, out)."""
        f_in, f_out = features
        weight = self.weight(f"{name}.weight", (f_out, f_in), LINEAR_GAIN / math.sqrt(f_in))
        return self.node("Gemm", [x, weight, self.weight(f"{name}.bias", (f_out,), 0.1)], name, transB=1)

    def _uniform(self, name: str, shape: Sequence[int], bound: float) -> np.ndarray:
        """Values in [-bound, bound), the same on every machine.

        The name seeds them, so a tensor doesn't depend on those made before. Only raw bits and exact
        arithmetic are used: a library's normal distribution may differ in the last bit elsewhere.
        """
        bits = np.random.PCG64(zlib.crc32(f"{self._name}/{name}".encode())).random_raw(math.prod(shape))
        unit = (bits >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
        return unit.reshape(shape) * np.float32(bound)

    def graph(self) -> onnx.GraphProto:
        return helper.make_graph(
            self._nodes,
            self._name,
            self._inputs,
            self._outputs,
            initializer=list(self._constants.values()),
            value_info=self._known,
        )

    def model(self, description: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """The finished model, checked, with every shape that ONNX can infer."""
        return finish(helper.make_model(self.graph()), description, metadata)


def finish(model: onnx.ModelProto, description: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Stamps a model with what all samples share, infers its shapes and checks it.

    Raises:
        onnx.checker.ValidationError: the model is not valid ONNX.
        onnx.shape_inference.InferenceError: a shape contradicts another.
    """
    model.ir_version = IR_VERSION
    model.producer_name = "dovetail-sample-models"
    model.producer_version = ""
    model.doc_string = description
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    del model.metadata_props[:]
    helper.set_model_props(model, {"licence": "Apache-2.0", **metadata})
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def serialize(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))
