"""What a device was found not to take, or not to compute right, of one model: it goes before the target's rules."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from dovetail.ir import Graph
from dovetail.passes.tagging import UnitTag, VerdictTag
from dovetail.plan.schema import Reason
from dovetail.targets import Verdict

Refusals: TypeAlias = Mapping[tuple[str, str], Reason]
"""(device, main operator of a unit) -> why the unit must not run there."""


def refuse(graph: Graph, refusals: Refusals) -> None:
    """Make the answer of a device `unsupported` on every node of a refused unit. O(nodes)."""
    if not refusals:
        return
    devices = {device for device, _ in refusals}
    for name in graph:
        main, tag = graph.tag(name, UnitTag).main, graph.tag(name, VerdictTag)
        if any((device, main) in refusals for device in devices):
            verdicts = tuple(
                (device, _refused(verdict, refusals[device, main]) if (device, main) in refusals else verdict)
                for device, verdict in tag.verdicts
            )
            graph.set_tag(name, replace(tag, verdicts=verdicts))


def _refused(verdict: Verdict, reason: Reason) -> Verdict:
    kept = verdict.reasons if verdict.state == "unsupported" else ()
    return Verdict("unsupported", (reason, *kept))
