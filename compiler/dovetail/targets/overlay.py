"""Overlays: what a vendor's own compiler answered, kept in a file that refines a target without editing it.

An answer belongs to one signature: the operator with its types, shapes, attributes and small constants. It replaces
what the target's rules say of operators with exactly this signature, in both directions, and says nothing of others.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from dovetail.plan.atomic import write_file
from dovetail.plan.errors import TargetError
from dovetail.plan.schema import DeviceKind, Reason
from dovetail.targets.document import read_document
from dovetail.targets.schema import Part
from dovetail.targets.target import Target
from dovetail.targets.verdict import Verdict


class AnswerPart(Part):
    """What the tool said of one signature."""

    signature: str
    taken: bool
    words: str = ""
    """The tool's own words for a refusal."""


class OverlayPart(Part):
    """An overlay file."""

    overlay: Literal[1]
    target: str
    """`name:variant` of the target that was probed."""
    device: DeviceKind
    source: str
    """The tool and its version."""
    answers: tuple[AnswerPart, ...] = ()


def read_overlay(path: Path) -> OverlayPart:
    """Read an overlay file.

    Raises:
        TargetError: it can't be read or is no overlay; the text names file, line and field.
    """
    document = read_document(path)
    try:
        return OverlayPart.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise TargetError(
            f"overlay {path.name}, line {document.line(first['loc'])}: {field}: {first['msg']}; "
            "give a file of 'dovetail targets probe'"
        ) from error


def write_overlay(overlay: OverlayPart, path: Path) -> None:
    """Write an overlay file that `read_overlay` reads.

    Raises:
        TargetError: the file can't be written.
    """
    text = yaml.safe_dump(overlay.model_dump(), sort_keys=False, allow_unicode=True, width=1_000_000)
    write_file(path, text.encode(), what="overlay", error=TargetError)


def apply_overlay(target: Target, overlay: OverlayPart) -> Target:
    """Return the target with the answers of an overlay before its own rules.

    Raises:
        TargetError: the overlay was made for another target, variant or device.
    """
    if overlay.target != target.ref:
        raise TargetError(f"overlay for {overlay.target}: the target is {target.ref}; probe that, or leave it out")
    if overlay.device not in [device.id for device in target.devices]:
        raise TargetError(f"overlay for {overlay.target}: the target has no device {overlay.device!r}; leave it out")
    learnt = {answer.signature: answer for answer in overlay.answers}
    devices = tuple(
        replace(device, learnt={**device.learnt, **_verdicts(learnt, overlay.source)})
        if device.id == overlay.device
        else device
        for device in target.devices
    )
    return replace(target, devices=devices)


def _verdicts(learnt: Mapping[str, AnswerPart], source: str) -> dict[str, Verdict]:
    return {text: _verdict(answer, f"probe, {source}") for text, answer in learnt.items()}


def _verdict(answer: AnswerPart, source: str) -> Verdict:
    if answer.taken:
        return Verdict("supported")
    operator = answer.signature.partition("(")[0].removeprefix("ai.onnx:").rpartition("-")[0]
    words = f": {answer.words}" if answer.words else ""
    message = f"this {operator} was refused by the vendor's compiler when it was probed{words}"
    return Verdict("unsupported", (Reason("probe", message, answer.signature, "what the compiler takes", source),))
