"""What a change would bring: the same placement problem, solved again with the change."""

import contextlib
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from dovetail.compiler.driver import Compilation
from dovetail.compiler.figures import plan_value
from dovetail.compiler.options import CompileOptions
from dovetail.compiler.placing import is_taken, make_problem
from dovetail.compiler.unit_facts import units_of
from dovetail.ir import Graph
from dovetail.partition import Objective, PlaceOptions, Problem, phases, place
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.errors import PartitionError

TOP: Final = 5
"""Suggestions that are told."""
MOST_UNITS: Final = 300
"""Of a model for which changes are looked for unasked."""
MOST_GROUPS: Final = 8
"""Changes that are tried, those of the operators that take longest first."""
TIME_LIMIT_S: Final = 2.0
"""After which no further change is tried; most models need a tenth of it."""
MOST_PINNED: Final = 8
"""Units whose pins are solved for at once."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What it would bring if the preferred device took operators of one type that one rule keeps off it."""

    rule: str
    op_type: str
    operators: int
    device: str
    before: float
    """Value of the objective as in the plan, found by the solver `fast`; `after` alike."""
    after: float
    partitions: tuple[int, int]
    """Before and after."""

    @property
    def gain(self) -> float:
        """By how much the objective's value falls."""
        return self.before - self.after


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The best of the changes that were tried, best first."""

    objective: Objective
    best: tuple[Suggestion, ...]
    tried: int
    untried: int

    @property
    def reach(self) -> str:
        """What bounds the number of those that are tried."""
        return f"at most {MOST_GROUPS} are, of models with up to {MOST_UNITS} units, within {TIME_LIMIT_S:g} s"


@dataclass(frozen=True, slots=True)
class Pin:
    """What the whole model would cost with one unit pinned to a device, or allowed on one that does not take it."""

    device: str
    value: float | None
    """Of the objective, in the plan's unit; None where no placement is found."""
    refusal: str = ""
    """Why there is none."""
    granted: bool = False
    """The device does not take the unit: this is the value if it did, wherever the unit is best then."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Units that are off the preferred device for the same rule, with blocked operators of one type."""

    rule: str
    op_type: str
    units: Set[int]


def suggest(
    compilation: Compilation, options: CompileOptions, time_limit_s: float = TIME_LIMIT_S
) -> Suggestions | None:
    """Try for each group of operators off the preferred device what it would bring if that device took them.

    Bounded by `MOST_UNITS` and `MOST_GROUPS` too; every change is solved by the solver `fast`.

    Args:
        compilation: of `options`; its first batch size is looked at.
        options: of the placement.
        time_limit_s: of all changes together. One that it interrupts counts as not tried: its gain would be a guess.

    Returns:
        None where no rule keeps an operator off the device.
    """
    graph, target = compilation.graph, compilation.target
    deadline = time.monotonic() + time_limit_s
    groups = _groups(compilation)
    if not groups:
        return None
    if len(units_of(graph)) > MOST_UNITS:
        return Suggestions(options.objective, (), 0, len(groups))
    problem = make_problem(graph, target, options.place)
    found: list[Suggestion] = []
    with contextlib.suppress(PartitionError):  # the fast solver may miss what keeps the user's bounds
        before = _solve(problem, options.placing, deadline)
        for group in sorted(groups, key=lambda each: -_worth(problem, each))[:MOST_GROUPS]:
            after = _solve(_allow(problem, group.units), options.placing, deadline)
            if before is None or after is None:
                break
            found.append(_suggestion(group, target.devices[0].id, before, after))
    gaining = [each for each in found if each.gain > 1e-9 * each.before]
    best = sorted(gaining, key=lambda each: -each.gain)[:TOP]
    return Suggestions(options.objective, tuple(best), len(found), len(groups) - len(found))


def pin_values(compilation: Compilation, options: CompileOptions, units: Sequence[int]) -> dict[int, tuple[Pin, ...]]:
    """For each unit what the model would cost with it pinned to each other device, or allowed on one that refuses it.

    Args:
        compilation: of `options`; its first batch size is looked at.
        options: of the placement.
        units: by number; at most `MOST_PINNED` of them are answered for.
    """
    problem = make_problem(compilation.graph, compilation.target, options.place)
    home = {operator.unit: operator.device for operator in compilation.plan.operators}
    return {
        unit: tuple(
            _pin(problem, options.placing, unit, number)
            for number, device in enumerate(problem.devices)
            if device != home[unit]
        )
        for unit in units[:MOST_PINNED]
    }


def _pin(problem: Problem, placing: PlaceOptions, unit: int, device: int) -> Pin:
    is_taken = problem.allowed[unit][device]
    pinned = replace(problem, pins={**problem.pins, unit: device})
    changed = pinned if is_taken else _allow(problem, {unit}, device)
    try:
        placed = place(changed, placing)
    except PartitionError as error:
        return Pin(problem.devices[device], None, str(error), not is_taken)
    return Pin(problem.devices[device], plan_value(placed.value, placing.objective), granted=not is_taken)


def _groups(compilation: Compilation) -> list[_Group]:
    """Units off the preferred device, by the rule and the type of the operator that keep them off it."""
    graph, first = compilation.graph, compilation.target.devices[0].id
    away = {each.name for each in compilation.plan.operators if not each.inside and each.device != first}
    groups: dict[tuple[str, str], set[int]] = {}
    for index, unit in enumerate(units_of(graph)):
        blocked = next(_blocked(graph, unit, first), None) if unit[0] in away else None
        if blocked is not None:
            rule = graph.tag(blocked, VerdictTag).on(first).reasons[0].rule
            groups.setdefault((rule, graph.node(blocked).op_type), set()).add(index)
    return [_Group(rule, op_type, frozenset(units)) for (rule, op_type), units in groups.items()]


def _blocked(graph: Graph, unit: Sequence[str], device: str) -> Iterator[str]:
    """The operators of a unit that a device does not take, the main one first: others may only follow it."""
    for name in (graph.tag(unit[0], UnitTag).main, *unit):
        if not is_taken(graph, name, device):
            yield name


def _worth(problem: Problem, group: _Group) -> float:
    """Microseconds that the units of a group take on the CPU."""
    assert problem.costs is not None
    return float(problem.costs.unit_latency[sorted(group.units), -1].sum())


def _allow(problem: Problem, units: Set[int], device: int = 0) -> Problem:
    """The problem one of whose devices takes some more units.

    What a unit costs on a device does not depend on its being refused there, so the costs hold.
    """
    allowed = tuple(
        (*row[:device], True, *row[device + 1 :]) if unit in units else row for unit, row in enumerate(problem.allowed)
    )
    return replace(problem, allowed=allowed)


def _solve(problem: Problem, placing: PlaceOptions, deadline: float) -> tuple[float, int] | None:
    """The objective's value in the plan's unit, and the number of partitions; None where the time is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    placed = place(problem, replace(placing, solver="fast", time_limit_s=left))
    if placed.timed_out:
        return None
    return plan_value(placed.value, placing.objective), len(phases.partition(problem, placed.placement))


def _suggestion(group: _Group, device: str, before: tuple[float, int], after: tuple[float, int]) -> Suggestion:
    return Suggestion(
        rule=group.rule,
        op_type=group.op_type,
        operators=len(group.units),
        device=device,
        before=before[0],
        after=after[0],
        partitions=(before[1], after[1]),
    )
