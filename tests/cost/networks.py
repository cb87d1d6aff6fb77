"""Well-known networks as lists of operators, without weights: enough for their costs."""

from collections.abc import Iterator

import numpy as np
from tests.targets.operators import operator

from dovetail.cost import Step, work_of
from dovetail.targets import TensorView
from dovetail.targets.view import Array


def int8(name: str, *shape: int) -> TensorView:
    return TensorView(name, "int8", shape, None)


def _nothing() -> Array:
    return np.zeros(0, np.int8)


def conv(batch: int, size: int, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1) -> Step:
    weights = TensorView("w", "int8", (outputs, inputs // group, kernel, kernel), _nothing)
    bias = TensorView("b", "int32", (outputs,), _nothing)
    out = size // stride
    x, y = int8("x", batch, inputs, size, size), int8("y", batch, outputs, out, out)
    return Step(work_of(operator("Conv", [x, weights, bias], y, group=group)))


def add(batch: int, size: int, channels: int) -> Step:
    shape = (batch, channels, size, size)
    return Step(work_of(operator("Add", [int8("a", *shape), int8("b", *shape)], int8("y", *shape))))


def gemm(batch: int, inputs: int, outputs: int) -> Step:
    weights = TensorView("w", "int8", (outputs, inputs), _nothing)
    return Step(work_of(operator("Gemm", [int8("x", batch, inputs), weights], int8("y", batch, outputs), transB=1)))


def resnet50(batch: int = 1) -> list[Step]:
    """ResNet-50 v1.5 at 224 x 224 in int8: 4.1 G MAC, 25.5 M weights."""
    return list(_resnet50(batch))


def _resnet50(batch: int) -> Iterator[Step]:
    yield conv(batch, 224, 3, 64, 7, 2)
    size, channels = 56, 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            yield conv(batch, size, channels, width, 1)
            yield conv(batch, size, width, width, 3, stride)
            yield conv(batch, size // stride, width, 4 * width, 1)
            if not block:
                yield conv(batch, size, channels, 4 * width, 1, stride)
            size, channels = size // stride, 4 * width
            yield add(batch, size, channels)
    yield gemm(batch, 2048, 1000)


def mobilenet_v2(batch: int = 1) -> list[Step]:
    """MobileNetV2 1.0 at 224 x 224 in int8: 0.3 G MAC, 3.5 M weights."""
    return list(_mobilenet_v2(batch))


def _mobilenet_v2(batch: int) -> Iterator[Step]:
    yield conv(batch, 224, 3, 32, 3, 2)
    size, channels = 112, 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, outputs, blocks, first in stages:
        for block in range(blocks):
            stride, wide = first if not block else 1, channels * factor
            if factor > 1:
                yield conv(batch, size, channels, wide, 1)
            yield conv(batch, size, wide, wide, 3, stride, group=wide)
            size //= stride
            yield conv(batch, size, wide, outputs, 1)
            if block:
                yield add(batch, size, outputs)
            channels = outputs
    yield conv(batch, size, channels, 1280, 1)
    yield gemm(batch, 1280, 1000)
