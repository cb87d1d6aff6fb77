"""Partitioning problems from one line of text."""

import re
from collections.abc import Mapping
from typing import Protocol

import pytest

from dovetail.partition import DeviceLimits, Problem, Tensor


class ProblemFromText(Protocol):
    """`a:nc b*3:c a>b` is unit a for the NPU or the CPU, unit b of 3 operators for the CPU, and an edge.

    A letter is the first of a device's name; `a!` is an entrance. A unit may have batch sizes (`a@1`, `a@1@8`) and
    precisions (`a=int8`). An edge may have the bytes of its tensor (`a>b/64`); without, none crosses it. A limit that
    is a number is that of partitions.
    """

    def __call__(
        self,
        text: str,
        devices: tuple[str, ...] = ("npu", "cpu"),
        pins: Mapping[str, str] | None = None,
        limits: Mapping[str, int | DeviceLimits] | None = None,
    ) -> Problem: ...


@pytest.fixture(scope="session")
def problem_from_text() -> ProblemFromText:
    def build(
        text: str,
        devices: tuple[str, ...] = ("npu", "cpu"),
        pins: Mapping[str, str] | None = None,
        limits: Mapping[str, int | DeviceLimits] | None = None,
    ) -> Problem:
        units = [word.split(":") for word in text.split() if ":" in word]
        heads = [re.fullmatch(r"(\w+)(!?)(?:\*(\d+))?((?:@\d+)*)((?:=\w+)*)", head) for head, _ in units]
        parts = [head.groups(default="") for head in heads if head is not None]
        names = tuple(name for name, *_ in parts)
        arrows = [word.partition("/")[::2] for word in text.split() if ">" in word]
        edges = tuple(_ends(arrow, names) for arrow, _ in arrows)
        return Problem(
            devices=devices,
            names=names,
            allowed=tuple(tuple(device[0] in letters for device in devices) for _, letters in units),
            edges=edges,
            sizes=tuple(int(size or 1) for _, _, size, _, _ in parts),
            pins={names.index(unit): devices.index(device) for unit, device in (pins or {}).items()},
            limits={devices.index(device): _limits(limit) for device, limit in (limits or {}).items()},
            batches=tuple(tuple(int(size) for size in batch.split("@")[1:]) for _, _, _, batch, _ in parts),
            precisions=tuple(tuple(precision.split("=")[1:]) for *_, precision in parts),
            tensors=tuple(
                Tensor(None if size == "?" else int(size), edge[0], edge[1:])
                for edge, (_, size) in zip(edges, arrows, strict=True)
                if size
            ),
            entrances=frozenset(unit for unit, (_, mark, *_) in enumerate(parts) if mark),
        )

    return build


def _ends(arrow: str, names: tuple[str, ...]) -> tuple[int, int]:
    source, target = arrow.split(">")
    return names.index(source), names.index(target)


def _limits(limit: int | DeviceLimits) -> DeviceLimits:
    return DeviceLimits(max_partitions=limit) if isinstance(limit, int) else limit
