"""Partitioning problems from one line of text."""

from collections.abc import Mapping
from typing import Protocol

import pytest

from dovetail.partition import Problem


class ProblemFromText(Protocol):
    """`a:nc b*3:c a>b` is unit a for the NPU or the CPU, unit b of 3 operators for the CPU, and an edge.

    A letter is the first of a device's name.
    """

    def __call__(
        self,
        text: str,
        devices: tuple[str, ...] = ("npu", "cpu"),
        pins: Mapping[str, str] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Problem: ...


@pytest.fixture(scope="session")
def problem_from_text() -> ProblemFromText:
    def build(
        text: str,
        devices: tuple[str, ...] = ("npu", "cpu"),
        pins: Mapping[str, str] | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> Problem:
        units = [word.split(":") for word in text.split() if ":" in word]
        names = tuple(head.partition("*")[0] for head, _ in units)
        edges = [word.split(">") for word in text.split() if ">" in word]
        return Problem(
            devices=devices,
            names=names,
            allowed=tuple(tuple(device[0] in letters for device in devices) for _, letters in units),
            edges=tuple((names.index(source), names.index(target)) for source, target in edges),
            sizes=tuple(int(head.partition("*")[2] or 1) for head, _ in units),
            pins={names.index(unit): devices.index(device) for unit, device in (pins or {}).items()},
            limits={devices.index(device): limit for device, limit in (limits or {}).items()},
        )

    return build
