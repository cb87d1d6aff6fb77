"""Placement of units on devices and their grouping into convex device subgraphs.

`greedy.place` and `limits.enforce` make a placement, `phases.partition` its partitions, and
`verify_partitions` checks them without sharing any code with the three.
"""

from dovetail.partition import greedy, limits, phases
from dovetail.partition.problem import DeviceLimits, Moved, Partition, Placement, Problem, Tensor
from dovetail.partition.verify import verify_partitions

__all__ = [
    "Problem",
    "DeviceLimits",
    "Tensor",
    "Placement",
    "Moved",
    "Partition",
    "greedy",
    "limits",
    "phases",
    "verify_partitions",
]
