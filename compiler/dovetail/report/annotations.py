"""Annotations of GitHub: what a job prints so that a run and a pull request show it."""

from collections.abc import Iterator
from typing import Final, Literal

from dovetail.plan import Plan, verdict_line
from dovetail.plan.causes import Cause, is_choice, rank_causes
from dovetail.report.words import clipped, counted, printable

MOST_OF_A_LEVEL: Final = 9
"""GitHub shows ten warnings and ten notices of a step and drops the rest without a word; the tenth says how many."""
_TYPES: Final = 4
_NAME: Final = 200
"""Characters of a name."""
_SENTENCE: Final = 1000
"""Characters of what a reason says, or the verdict."""

Level = Literal["error", "warning", "notice"]


def render_annotations(plan: Plan) -> str:
    """Return workflow commands: a warning for each rule that keeps operators off the first device, then the verdict.

    What the placement chose by cost, by a pin or for a limit is a notice. The causes of most operators come first; of
    each level `MOST_OF_A_LEVEL` are shown.
    """
    causes = rank_causes(plan)
    chosen = [cause for cause in causes if is_choice(cause.rule)]
    broken = [cause for cause in causes if not is_choice(cause.rule)]
    device = plan.devices[0].id
    lines = [*_commands("warning", broken, device), *_commands("notice", chosen, device)]
    title = f"{clipped(plan.model.name, _NAME)} on {plan.target}"
    lines.append(command("notice", title, clipped(verdict_line(plan), _SENTENCE)))
    return "\n".join(lines) + "\n"


def command(level: Level, title: str, message: str) -> str:
    """Return a workflow command, escaped as GitHub's runner reads it."""
    properties = printable(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={properties}::{printable(message).replace('%', '%25')}"


def _commands(level: Level, causes: list[Cause], device: str) -> Iterator[str]:
    # the verdict is a notice too
    most = MOST_OF_A_LEVEL - 1 if level == "notice" else MOST_OF_A_LEVEL
    for cause in causes[:most]:
        yield command(level, f"{cause.label}: {counted(cause.operators, 'operator')} not on {device}", _sentence(cause))
    if len(causes) > most:
        rest = counted(len(causes) - most, "more cause")
        yield command(level, "Dovetail", f"{rest} why operators are not on {device}; --format json lists all")


def _sentence(cause: Cause) -> str:
    """Say which operators, what they break, and what to do; a long name or message is cut."""
    more = f" and {cause.operators - 1} more" if cause.operators > 1 else ""
    types = ", ".join(f"{op_type} {number}" for op_type, number in cause.op_types[:_TYPES])
    others = ", ..." if len(cause.op_types) > _TYPES else ""
    fix = f"; {clipped(cause.fix, _SENTENCE)}" if cause.fix else ""
    example = f"'{clipped(cause.example, _NAME)}'{more}: {types}{others}"
    return f"{clipped(cause.message, _SENTENCE)} ({example}){fix}"
