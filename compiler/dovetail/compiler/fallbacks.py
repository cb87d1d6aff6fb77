"""Why operators are not on the target's first device: rules, pins, limits, or costs."""

from collections.abc import Sequence

from dovetail.compiler.figures import UnitCosts
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import is_taken, matches
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph
from dovetail.partition import Arrangement
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.schema import Reason
from dovetail.plan.words import digits
from dovetail.targets import Target


class Fallbacks:
    """The reasons of all operators of one placement."""

    def __init__(
        self, graph: Graph, target: Target, arrangement: Arrangement, figures: UnitCosts, options: CompileOptions
    ) -> None:
        """Take what was decided. `figures` are of the units in the order of `units_of(graph)`."""
        self._graph, self._target, self._placement = graph, target, arrangement.placement
        self._figures, self._options = figures, options
        self._on_first = sum(partition.device == 0 for partition in arrangement.partitions)
        self._moved = {each.unit: each.cause for each in arrangement.placement.moved}
        self._units = units_of(graph)

    def of(self, name: str) -> tuple[Reason, ...]:
        """What keeps an operator of the top graph off the first device, what decided first; nothing where it is there.

        O(operators of its unit).
        """
        unit = self._graph.tag(name, UnitTag).index
        if self._placement.device_of[unit] == 0:
            return ()
        members = self._units[unit]
        pins = [pair for pair in self._options.place if any(matches(self._graph, each, pair[0]) for each in members)]
        if pins:  # one member is enough: all of them stay together
            return (_pinned(*pins[-1]),)
        if unit in self._moved:
            return (_given_back(self._moved[unit]),)
        return self._refusals(name, members) or (self._dearer(unit),)

    def _refusals(self, name: str, members: Sequence[str]) -> tuple[Reason, ...]:
        first = self._target.devices[0].id
        for member in (name, *members):
            if not is_taken(self._graph, member, first):
                return self._graph.tag(member, VerdictTag).on(first).reasons
        return ()

    def _dearer(self, unit: int) -> Reason:
        """The first device takes it, and yet it is elsewhere: by cost."""
        number = self._placement.device_of[unit]
        first, here = self._target.devices[0].id, self._target.devices[number].id
        costs = self._figures.place[unit]
        there, own = (self._figures.table[costs[index]] for index in (0, number))
        on_first = f"{digits(there.latency_us)} us and {digits(there.energy_uj)} uJ on {first}"
        on_own = f"{digits(own.latency_us)} us and {digits(own.energy_uj)} uJ on {here}"
        most = self._target.limits.max_partitions.get(first)
        is_full = most is not None and self._on_first >= most
        within = f", as {first} may have at most {most} of its partitions" if is_full else ""
        whole = f"costs less here for the whole model ({self._options.objective}){within}"
        return Reason(
            rule="cost",
            message=f"{whole}; alone it takes {on_own}, {on_first}, before launches and transfers",
            got=on_first,
            allowed=f"less than {on_own}, with launches and transfers",
            fix=f"first move what stands between the pieces on {first}: it may have no more of them" if is_full else "",
        )


def holder_reason(holder: str) -> Reason:
    """Why an operator in a body is where it is."""
    return Reason(
        rule="inside",
        message=f"runs where '{holder}' runs, whose body holds it",
        got=f"'{holder}' is elsewhere",
        allowed="the whole body on one device",
    )


def _pinned(pattern: str, device: str) -> Reason:
    text = f"--place '{pattern}={device}'"
    return Reason("pinned", f"pinned by {text}", device, "any device that takes it", fix=f"take {text} away")


def _given_back(cause: str) -> Reason:
    limit, _, got = cause.partition(": ")
    return Reason("limit", cause, got or cause, limit)
