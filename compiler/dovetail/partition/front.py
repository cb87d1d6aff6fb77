"""The front between latency and energy, for a user to choose from."""

import contextlib
from dataclasses import dataclass

import numpy as np

from dovetail.partition import limits, phases
from dovetail.partition.arrays import make_weights
from dovetail.partition.bounded import keeps
from dovetail.partition.evaluate import evaluate
from dovetail.partition.hull import trace_front
from dovetail.partition.place import PlaceOptions, limits_of, make_search, place
from dovetail.partition.problem import Placement, Problem
from dovetail.partition.simple import simple_placements
from dovetail.plan.errors import PartitionError


@dataclass(frozen=True, slots=True)
class Choice:
    """A placement that no other one found is better than in both, partitions one after the other."""

    latency: float
    """Microseconds."""
    energy: float
    """Microjoules."""
    placement: Placement
    partitions: int


def pareto(problem: Problem, options: PlaceOptions) -> tuple[Choice, ...]:
    """Find the front from the smallest latency to the smallest energy, within the user's bounds and all limits.

    The points lie on the convex hull of all placements as far as the solver finds them, and the simple placements are
    among the candidates. The objective of the options is not looked at.

    Raises:
        PartitionError: as `place`.
    """
    search = make_search(problem, options)
    ones = np.ones(len(problem.devices))
    latency, energy = make_weights(problem, ones, 0.0), make_weights(problem, 0.0 * ones, 1.0)
    bounds = limits_of(problem, search, options, latency)
    front = trace_front(search, latency, energy, bounds)
    placements = []
    for point in front.points:
        with contextlib.suppress(PartitionError):  # giving units back can't keep the limits of devices
            placements.append(limits.enforce(problem, Placement(tuple(point.labels[: search.arrays.units].tolist()))))
    placements += [placement for _, placement in simple_placements(problem)]
    kept = [each for each in dict.fromkeys(placements) if keeps(search, bounds, search.arrays.labels(each.device_of))]
    if not kept:  # finds the last one, or says why there is none
        kept = [place(problem, options).placement]
    choices = []
    for placement in kept:
        partitions = phases.partition(problem, placement)
        cost = evaluate(problem, partitions)
        choices.append(Choice(cost.latency, cost.energy, placement, len(partitions)))
    return _undominated(choices)


def _undominated(choices: list[Choice]) -> tuple[Choice, ...]:
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda choice: (choice.latency, choice.energy)):
        if not kept or choice.energy < kept[-1].energy * (1 - 1e-9):
            kept.append(choice)
    return tuple(kept)
