"""Passes over the graph: canonical form, legal form for devices, and tags.

`canonical` simplifies whatever the model will run on, `legalize` brings it into the form that device compilers
expect, and `tagging` records units and verdicts. Tagging changes nothing.
"""

from dovetail.passes.base import GraphPass
from dovetail.passes.manager import AfterPass, run_passes, run_to_fixpoint
from dovetail.passes.registry import describe_pass, pass_class, pass_names

__all__ = [
    "AfterPass",
    "GraphPass",
    "describe_pass",
    "pass_class",
    "pass_names",
    "run_passes",
    "run_to_fixpoint",
]
