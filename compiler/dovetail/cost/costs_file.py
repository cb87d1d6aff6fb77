"""Cost files: the coefficients of one device as they were fitted to timings, kept beside the target's own."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from dovetail.cost.fitting import FREE
from dovetail.plan.atomic import write_file
from dovetail.plan.errors import TargetError
from dovetail.plan.files import read_regular
from dovetail.plan.schema import DeviceKind
from dovetail.targets.figure import Figure
from dovetail.targets.schema import Part
from dovetail.targets.target import CostSource, Device, Target

Source = Literal["host", "vela", "rknn"]
"""What takes the timings: this machine, Arm's Vela, Rockchip's RKNN-Toolkit2."""
_LARGEST_FILE: Final = 100_000
"""Bytes; a file has one or two thousand."""
_MARKS: Final[dict[Source, CostSource]] = {"host": "measured", "vela": "vendor estimate", "rknn": "vendor estimate"}


class ErrorsPart(Part):
    """How far predictions are from timings."""

    samples: Annotated[int, Field(ge=0)]
    median_relative: float
    rank_correlation: float


class CostsPart(Part):
    """A cost file."""

    costs: Literal[1]
    target: str
    """`name:variant`."""
    device: DeviceKind
    source: Source
    tool: str
    """What took the timings, with its version."""
    base: str
    """Digest of the figures of the target that the fitted ones stand beside: those of another file do not fit."""
    figures: dict[str, float]
    """The fitted ones, by their names in target files."""
    fitted: ErrorsPart
    held_out: ErrorsPart
    uncalibrated: ErrorsPart
    """Of the target's own figures, on what was held out."""

    @model_validator(mode="after")
    def _check_figures(self) -> Self:
        if not self.figures:
            raise ValueError("it holds no figures")
        for name, value in self.figures.items():
            if name not in FREE:
                raise ValueError(f"unknown figure {name!r}; known are {', '.join(FREE)}")
            may_be_zero = 0 in FREE[name].choices
            if not math.isfinite(value) or value < 0 or (value == 0 and not may_be_zero):
                raise ValueError(f"{name} must be finite and above zero, got {value}")
            if 1 in FREE[name].choices and may_be_zero and value > 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")
        return self


def read_costs(path: Path) -> CostsPart:
    """Read a cost file.

    Raises:
        TargetError: it can't be read or is no cost file; the text names the field.
    """
    data = read_regular(path, limit=_LARGEST_FILE, what="costs", error=TargetError)
    try:
        return CostsPart.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        words = first["msg"].removeprefix("Value error, ")
        raise TargetError(
            f"costs '{path}': {f'{field}: ' if field else ''}{words}; give a file of 'dovetail calibrate'"
        ) from error


def write_costs(costs: CostsPart, path: Path) -> None:
    """Write a cost file that `read_costs` reads.

    Raises:
        TargetError: the file can't be written.
    """
    text = json.dumps(costs.model_dump(), indent=2) + "\n"
    write_file(path, text.encode(), what="costs", error=TargetError)


def apply_costs(target: Target, costs: CostsPart) -> Target:
    """Return the target with fitted figures in place of its own.

    Raises:
        TargetError: the costs were fitted for another target, variant or device, or for other figures of it.
    """
    if costs.target != target.ref:
        raise TargetError(f"costs for {costs.target}: the target is {target.ref}; calibrate that, or leave them out")
    if costs.device not in [device.id for device in target.devices]:
        raise TargetError(f"costs for {costs.target}: the target has no device {costs.device!r}; calibrate again")
    device = target.device(costs.device)
    if device.costs != "modelled":
        raise TargetError(f"costs for {costs.target}: those of '{costs.device}' are given twice; give them once")
    if costs.base != base_digest(device):
        raise TargetError(
            f"costs for {costs.target}: the figures of '{costs.device}' have changed since they were fitted;"
            " calibrate again"
        )
    held = costs.held_out
    source = f"{_MARKS[costs.source]}, {costs.tool}, fitted; {held.median_relative:.0%} off on {held.samples} others"
    return with_figures(target, costs.device, costs.figures, source, _MARKS[costs.source])


def with_figures(
    target: Target, device_id: str, values: Mapping[str, float], source: str, mark: CostSource = "modelled"
) -> Target:
    """The target with some figures of a device in place of its own; KeyError for a figure that is not fitted."""
    figures = {name: Figure(value, FREE[name].unit, source, True, "medium") for name, value in values.items()}
    devices = (
        replace(device, figures={**device.figures, **figures}, costs=mark) if device.id == device_id else device
        for device in target.devices
    )
    return replace(target, devices=tuple(devices))


def base_digest(device: Device) -> str:
    """A digest of all figures that a target's file has for a device."""
    figures = sorted((name, figure.value) for name, figure in device.figures.items())
    return hashlib.sha256(json.dumps(figures).encode()).hexdigest()[:16]
