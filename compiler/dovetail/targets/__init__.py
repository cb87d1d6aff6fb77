"""Targets: what each device of a machine supports, said once, with reasons."""

from dovetail.targets.describe import DeviceDescription, OperatorDescription, TargetDescription
from dovetail.targets.figure import Figure, Link, PartitionLimits
from dovetail.targets.likeness import likeness
from dovetail.targets.load import load_target
from dovetail.targets.shipped import target_names
from dovetail.targets.target import Device, Target, ToolSpec
from dovetail.targets.verdict import Verdict, worst
from dovetail.targets.view import Array, Attribute, OperatorView, QuantView, TensorView

__all__ = [
    "load_target",
    "target_names",
    "Target",
    "Device",
    "ToolSpec",
    "PartitionLimits",
    "Figure",
    "Link",
    "Verdict",
    "worst",
    "OperatorView",
    "TensorView",
    "QuantView",
    "Attribute",
    "Array",
    "likeness",
    "TargetDescription",
    "DeviceDescription",
    "OperatorDescription",
]
