"""The evaluation of partitions against sums over all placements that are made in another way."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.partition.costed import costed_problems, every_placement

from dovetail.partition import Placement, PlaceOptions, Problem, evaluate, objective_of, phases
from dovetail.partition.place import OBJECTIVES

ANY = st.sampled_from([1, 2, 2, 3]).flatmap(lambda devices: costed_problems(devices, 12 // devices))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY, st.data())
def test_every_placement_costs_what_the_evaluation_says(problem: Problem, data: st.DataObject) -> None:
    everything = every_placement(problem)
    row = data.draw(st.integers(0, len(everything.device_of) - 1))
    found = evaluate(problem, phases.partition(problem, Placement(tuple(everything.device_of[row].tolist()))))
    assert np.allclose(found.loads, everything.loads[row])
    assert np.allclose(found.memory, everything.memory[row])
    assert np.isclose(found.latency, everything.latency[row])
    assert np.isclose(found.energy, everything.energy[row])
    for objective in OBJECTIVES:
        wanted = everything.objective(objective)[row]
        assert np.isclose(objective_of(found, PlaceOptions(objective)), wanted)
