"""Placement of units on devices and their grouping into convex device subgraphs.

`place` puts units where they cost least, and proves how good that is; `arrange` makes the partitions that run.
`greedy.place` is the rule of old; `limits.enforce` keeps what devices ask, `phases.partition` groups.
`verify_partitions` and `evaluate` check results without sharing any code with what made them.
"""

from dovetail.partition import greedy, limits, phases
from dovetail.partition.arrange import Arrangement, arrange, objective_of
from dovetail.partition.concurrent import partition_concurrently
from dovetail.partition.evaluate import Evaluation, evaluate
from dovetail.partition.front import Choice, pareto
from dovetail.partition.place import OBJECTIVES, SOLVERS, Objective, Placed, PlaceOptions, Solver, place
from dovetail.partition.problem import DeviceLimits, Moved, Partition, Placement, Problem, Tensor
from dovetail.partition.simple import simple_placements
from dovetail.partition.timeline import Timeline, schedule
from dovetail.partition.verify import verify_partitions

__all__ = [
    # the problem
    "Problem",
    "DeviceLimits",
    "Tensor",
    # placing
    "place",
    "PlaceOptions",
    "Placed",
    "Objective",
    "OBJECTIVES",
    "Solver",
    "SOLVERS",
    "Placement",
    "Moved",
    "pareto",
    "Choice",
    "greedy",
    "simple_placements",
    "limits",
    # partitioning
    "arrange",
    "Arrangement",
    "Partition",
    "phases",
    "partition_concurrently",
    "Timeline",
    "schedule",
    # checking
    "verify_partitions",
    "Evaluation",
    "evaluate",
    "objective_of",
]
