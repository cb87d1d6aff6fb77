from dataclasses import replace

import pytest
from tests.report.layout.verifier import problems

from dovetail.report.layout import Layout, LayoutOptions, Route, lay_out

SIZES = [(80.0, 30.0)] * 12
EDGES = [*((node, node + 1) for node in range(11)), (0, 2), (0, 11)]
GOOD = lay_out(SIZES, EDGES)


def moved(box: int, right: float, down: float) -> Layout:
    positions = list(GOOD.positions)
    positions[box] = (positions[box][0] + right, positions[box][1] + down)
    return replace(GOOD, positions=positions)


def rerouted(edge: int, route: Route) -> Layout:
    routes = list(GOOD.routes)
    routes[edge] = route
    return replace(GOOD, routes=routes)


STRAIGHT = Route((GOOD.routes[11].points[0], GOOD.routes[11].points[-1]))
SHORT = Route(GOOD.routes[0].points[:1] * 2)
UPWARDS = Route(GOOD.routes[0].points[::-1])
WHOLE = Route((*GOOD.routes[12].points, *GOOD.routes[12].arrival))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (moved(1, 0, -70), "overlap"),
        (moved(11, 0, 50), "is outside"),
        (replace(GOOD, width=10.0), "is outside"),
        (rerouted(11, STRAIGHT), "passes through"),
        (rerouted(0, SHORT), "does not end at the top"),
        (rerouted(0, UPWARDS), "goes up"),
        (rerouted(12, WHOLE), "stub: False"),
        (rerouted(0, Route(GOOD.routes[0].points[:1] * 2, GOOD.routes[0].points[-1:] * 2)), "stub: True"),
    ],
)
def test_each_broken_promise_is_seen(broken: Layout, words: str) -> None:
    options = LayoutOptions()
    assert problems(SIZES, EDGES, GOOD, options) == []
    assert any(words in problem for problem in problems(SIZES, EDGES, broken, options))
