"""Widths of products, and how far they fill a block of 64 x 32."""

import pytest
from tests.targets.operators import operator, tensor, weights

from dovetail.cost import work_of
from dovetail.cost.channels import Block, Channels
from dovetail.targets import OperatorView


def widths(op: OperatorView) -> tuple[int, ...] | None:
    found = work_of(op).channels
    return None if found is None else (found.contraction, found.outputs, found.groups)


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        (operator("Conv", [tensor(1, 24, 8, 8), weights(48, 24, 3, 3)], tensor(1, 48, 8, 8)), (24, 48, 1)),
        (operator("Conv", [tensor(1, 24, 8, 8), weights(48, 6, 3, 3)], tensor(1, 48, 8, 8), group=4), (6, 12, 4)),
        (operator("Conv", [tensor(1, 3, 8, 8), weights(16, 3, 5, 7)], tensor(1, 16, 8, 8)), (3, 16, 1)),
        (operator("ConvTranspose", [tensor(1, 24, 3, 3), weights(24, 6, 2, 2)], tensor(1, 6, 6, 6)), (24, 6, 1)),
        (operator("Gemm", [tensor(5, 7), weights(7, 3)], tensor(5, 3)), (7, 3, 1)),
        (operator("Gemm", [tensor(5, 7), weights(3, 7)], tensor(5, 3), transB=1), (7, 3, 1)),
        (operator("MatMul", [tensor(2, 5, 7), tensor(2, 7, 3)], tensor(2, 5, 3)), (7, 3, 1)),
        (operator("MatMul", [tensor(5, 7), tensor(7)], tensor(5)), (7, 1, 1)),
        (operator("MatMul", [tensor(5, "k"), tensor("k", 3)], tensor(5, 3)), None),
        (operator("LSTM", [tensor(10, 2, 3), weights(1, 24, 3), weights(1, 24, 6)], tensor(10, 1, 2, 6)), (6, 24, 1)),
        (operator("Conv", [tensor(1, 8, 4, 4), weights(8, 1, 3, 3)], tensor(1, 8, 4, 4), group=8), (1, 1, 8)),
        (operator("Relu", [tensor(3, 5)], tensor(3, 5)), None),
    ],
)
def test_the_widths_of_a_product(op: OperatorView, wanted: tuple[int, ...] | None) -> None:
    assert widths(op) == wanted


@pytest.mark.parametrize(
    ("channels", "share"),
    [
        (Channels(64, 32), 1),
        (Channels(8, 32), 1 / 8),
        (Channels(8, 8), 1 / 32),
        (Channels(65, 32), 65 / 128),
        (Channels(96, 48), 0.75 * 0.75),
        # 8 of the 32 groups side by side, each with a row and column of its own
        (Channels(4, 4, 32), 8 * 16 / 2048),
        (Channels(4, 4, 2), 2 * 16 / 2048),
        (Channels(128, 128, 2), 1),
        # a picture: a row of the kernel is one run of channels
        (Channels(4, 32, row=8), 1 / 2),
        (Channels(5, 32, row=8), 5 / 64),
    ],
)
def test_the_share_of_a_block(channels: Channels, share: float) -> None:
    assert channels.fill(Block(64, 32)) == pytest.approx(share)


def test_without_blocks_nothing_is_padded() -> None:
    assert Channels(7, 13, 3).fill(Block(1, 1)) == 1


def test_without_a_rule_for_pictures_a_picture_is_padded_like_any_other() -> None:
    assert Channels(4, 32, row=8).fill(Block(64, 32, image=1)) == 1 / 16


@pytest.mark.parametrize(("places", "share"), [(16, 1), (49, 49 / 64), (1, 1 / 16), (0, 1)])
def test_places_are_padded_as_channels_are(places: int, share: float) -> None:
    block = Block(64, 32, places=16)
    assert Channels(64, 32, places=places).fill(block) == share
    assert Channels(1, 1, 64, places=places).fill_depthwise(64, block) == share


def test_depthwise_channels_are_padded_side_by_side() -> None:
    assert Channels(1, 1, 24).fill_depthwise(16, Block(64, 32)) == 24 / 32
    assert Channels(1, 2, 24).fill_depthwise(16, Block(64, 32)) == 1


@pytest.mark.parametrize(
    ("op", "places"),
    [
        (operator("Conv", [tensor(1, 24, 8, 8), weights(48, 24, 3, 3)], tensor(1, 48, 6, 5)), 30),
        (operator("Conv", [tensor(2, 8, 4, 4), weights(8, 1, 3, 3)], tensor(2, 8, 4, 4), group=8), 32),
        (operator("Gemm", [tensor(5, 7), weights(7, 3)], tensor(5, 3)), 5),
        (operator("MatMul", [tensor(2, 5, 7), tensor(2, 7, 3)], tensor(2, 5, 3)), 10),
    ],
)
def test_the_places_of_a_product(op: OperatorView, places: int) -> None:
    found = work_of(op).channels
    assert found is not None
    assert found.places == places
