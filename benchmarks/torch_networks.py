"""The sample CNN and transformer as modules of torch, written as their authors would, with the samples' weights."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional

HEADS, BLOCKS = 4, 2


class _Weights(nn.Module):
    """Tensors of an ONNX file by their names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        model = onnx.load(path)
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for name, array in arrays.items():
            self.register_buffer(name.replace(".", "_"), torch.from_numpy(np.array(array)))
        self.strides = {node.name: _stride(node) for node in model.graph.node if node.op_type == "Conv"}

    def of(self, *parts: str) -> Any:
        return getattr(self, "_".join(parts).replace(".", "_"))


def _stride(node: Any) -> int:
    return next((int(each.ints[0]) for each in node.attribute if each.name == "strides"), 1)


class MobileNet(nn.Module):
    """Inverted residuals, as in `sample_models/mobilenet.py`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.weights = _Weights(path)

    def _conv(self, x: Any, name: str) -> Any:
        weight = self.weights.of(name, "weight")
        stride, groups = self.weights.strides[name], x.shape[1] // weight.shape[1]
        return functional.conv2d(x, weight, self.weights.of(name, "bias"), stride, weight.shape[-1] // 2, 1, groups)

    def _block(self, x: Any, name: str) -> Any:
        y = (
            functional.relu6(self._conv(x, f"{name}.expand.conv"))
            if f"{name}.expand.conv" in self.weights.strides
            else x
        )
        y = functional.relu6(self._conv(y, f"{name}.depthwise.conv"))
        y = self._conv(y, f"{name}.project.conv")
        return x + y if x.shape == y.shape else y

    def forward(self, x: Any) -> tuple[Any]:
        """(batch, 3, 96, 96) -> logits."""
        x = functional.relu6(self._conv(x, "features.0.conv"))
        for index in range(1, 18):
            x = self._block(x, f"features.{index}")
        x = functional.relu6(self._conv(x, "features.18.conv"))
        weight, bias = self.weights.of("classifier.linear.weight"), self.weights.of("classifier.linear.bias")
        return (functional.linear(x.mean((2, 3)), weight, bias),)


class Transformer(nn.Module):
    """An encoder, as in `sample_models/transformer.py`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.weights = _Weights(path)

    def _dense(self, x: Any, name: str) -> Any:
        return torch.matmul(x, self.weights.of(name, "weight")) + self.weights.of(name, "bias")

    def _norm(self, x: Any, name: str) -> Any:
        return functional.layer_norm(
            x, x.shape[-1:], self.weights.of(name, "weight"), self.weights.of(name, "bias"), 1e-5
        )

    def _attention(self, x: Any, name: str) -> Any:
        query, key, value = (
            self._dense(x, f"{name}.{part}").unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        y = functional.scaled_dot_product_attention(query, key, value)
        return self._dense(y.transpose(1, 2).flatten(2), f"{name}.output")

    def _block(self, x: Any, name: str) -> Any:
        x = self._norm(self._attention(x, f"{name}.attention") + x, f"{name}.attention.layer_norm")
        y = functional.gelu(self._dense(x, f"{name}.intermediate.dense"))
        return self._norm(self._dense(y, f"{name}.output.dense") + x, f"{name}.output.layer_norm")

    def forward(self, x: Any) -> tuple[Any, Any]:
        """(batch, 64, 96) -> the last hidden state and what the pooler makes of its first row."""
        x = self._norm(x + self.weights.of("embeddings.position.weight"), "embeddings.layer_norm")
        for block in range(BLOCKS):
            x = self._block(x, f"encoder.layer.{block}")
        pooled = functional.linear(
            x[:, 0], self.weights.of("pooler.dense.weight"), self.weights.of("pooler.dense.bias")
        )
        return x, torch.tanh(pooled)


NETWORKS = {"mobilenet_v2": MobileNet, "transformer": Transformer}
