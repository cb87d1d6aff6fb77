"""Static Q/DQ quantization with the settings that NPUs take: uint8 activations, int8 weights per channel."""

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._samples, None)


def quantize(model: onnx.ModelProto, samples: Sequence[Mapping[str, np.ndarray]]) -> onnx.ModelProto:
    """The model with Q/DQ pairs round every operator; ranges are the extremes seen on `samples`."""
    logging.getLogger().setLevel(logging.ERROR)  # it advises a pre-processing that the builder has already done
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "quantized.onnx")
        quantize_static(
            model,
            target,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        return onnx.load(target)
