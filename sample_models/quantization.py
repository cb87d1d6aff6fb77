"""Static Q/DQ quantization as NPUs take it: uint8 activations, or int8 around zero as TensorRT wants them."""

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

ACTIVATIONS = ("Relu", "Clip")


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._samples, None)


def quantize(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, np.ndarray]], *, symmetric: bool = False
) -> onnx.ModelProto:
    """The model with Q/DQ pairs round every operator, weights in int8 per channel.

    Args:
        model: in fp32.
        samples: its inputs; ranges are the extremes seen on them.
        symmetric: activations are int8 with zero point 0 instead of uint8, and an operator and the activation behind
            it stand in one pair: the form of TensorRT's quantization toolkit, which a DLA takes.
    """
    logging.getLogger().setLevel(logging.ERROR)  # it advises a pre-processing that the builder has already done
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "quantized.onnx")
        quantize_static(
            model,
            target,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"ActivationSymmetric": symmetric},
        )
        quantized = onnx.load(target)
    if symmetric:
        _join_activations(quantized.graph)
    return quantized


def _join_activations(graph: onnx.GraphProto) -> None:
    """Take out the Q/DQ pair between an operator and its activation."""
    producer = {output: node for node in graph.node for output in node.output}
    for node in [node for node in graph.node if node.op_type in ACTIVATIONS]:
        dequantize = producer[node.input[0]]
        pair = (producer[dequantize.input[0]], dequantize)
        node.input[0] = pair[0].input[0]
        for each in pair:
            graph.node.remove(each)
    read = {name for node in graph.node for name in node.input}
    for initializer in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(initializer)
