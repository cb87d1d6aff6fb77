"""The report as SARIF 2.1.0: a result for each operator that is not on the first device, for code scanning."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dovetail.plan import Plan, __version__, device_totals
from dovetail.plan.causes import decisive_reason, displaced_operators, is_choice, unit_costs
from dovetail.plan.codes import find_code, remedy
from dovetail.plan.schema import PlanOperator, Reason

Node = dict[str, Any]
"""A JSON object."""

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(plan: Plan, path: Path) -> str:
    """Return one SARIF log with one run.

    Args:
        plan: of several batch sizes, its own is told.
        path: of the model's file or the plan's folder. Code scanning wants it relative to the repository.
    """
    first = plan.devices[0].id
    found = [(operator, decisive_reason(operator, first)) for operator in displaced_operators(plan)]
    rules = sorted({_rule_id(reason): reason for _, reason in found}.items())
    indices = {rule: index for index, (rule, _) in enumerate(rules)}
    location = {"uri": _uri(path), "index": 0}
    context = _Context(plan)
    run = {
        "tool": {
            "driver": {
                "name": "Dovetail",
                "version": __version__,
                "rules": [_rule(rule, reason) for rule, reason in rules],
            }
        },
        # results of another model or target in the same repository are others
        "automationDetails": {"id": f"dovetail/{plan.model.name}/{plan.target}/"},
        "artifacts": [{"location": {"uri": location["uri"]}, "roles": ["analysisTarget"]}],
        "results": [
            _result(operator, reason, indices[_rule_id(reason)], location, context) for operator, reason in found
        ],
        "properties": {
            "model": plan.model.name,
            "sha256": plan.model.sha256,
            "target": plan.target,
            "objective": plan.objective,
            "figures": plan.predicted.source,
        },
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class _Context:
    """What the results of a run share."""

    def __init__(self, plan: Plan) -> None:
        self.target = plan.target
        self.costs: Mapping[int, Mapping[str, float]] = unit_costs(plan)
        self.time_us = 1e3 * sum(total.latency_ms or 0.0 for total in device_totals(plan))


def _rule_id(reason: Reason) -> str:
    return reason.code or reason.rule


def _rule(rule: str, reason: Reason) -> Node:
    known = find_code(rule)
    title = known.title if known else "the placement put it elsewhere"
    text = f"What to do as a rule: {remedy(reason.code, '') or 'compile the model again to be told'}."
    more = f" `dovetail explain {rule}` tells more." if known else ""
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in reason.rule.split("_")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": title},
        "help": {"text": text + more.replace("`", "'"), "markdown": text + more},
        "defaultConfiguration": {"level": _level(reason)},
    }


def _level(reason: Reason) -> str:
    """What the device does not take is a warning; what the placement chose is only said."""
    return "note" if is_choice(reason.rule) else "warning"


def _result(operator: PlanOperator, reason: Reason, rule_index: int, location: Node, context: _Context) -> Node:
    names = operator.origins or (operator.name,)
    fix = remedy(reason.code, reason.fix)
    return {
        "ruleId": _rule_id(reason),
        "ruleIndex": rule_index,
        "level": _level(reason),
        "message": {"text": _message(f"{reason.message}{f'; {fix}' if fix else ''}")},
        "locations": [
            {
                # a model has no lines, but GitHub shows no result without one
                "physicalLocation": {"artifactLocation": location, "region": {"startLine": 1}},
                "logicalLocations": [_logical_location(name) for name in names],
            }
        ],
        "partialFingerprints": {
            "primaryLocationLineHash": _fingerprint(context.target, _rule_id(reason), operator.name)
        },
        "properties": _properties(operator, reason, fix, context),
    }


def _logical_location(name: str) -> Node:
    return {"name": name.rpartition("/")[2] or name, "fullyQualifiedName": name, "kind": "node"}


def _properties(operator: PlanOperator, reason: Reason, fix: str, context: _Context) -> Node:
    cost = context.costs.get(operator.unit, {})
    latency = cost.get("latency_us")
    return {
        "op_type": operator.op_type,
        "device": operator.device,
        "partition": operator.partition,
        "rule": reason.rule,
        "got": reason.got,
        "allowed": reason.allowed,
        "fix": fix,
        "confidence": reason.confidence,
        "latency_us": latency,
        "energy_uj": cost.get("energy_uj"),
        "share_of_time": latency / context.time_us if latency is not None and context.time_us > 0 else None,
    }


def _message(text: str) -> str:
    """Return text in which SARIF finds no placeholder `{0}` and no link `[text](target)`."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "]\\(")


def _fingerprint(target: str, rule: str, name: str) -> str:
    """Return what stays the same from run to run, whatever the result costs and in whatever order they come."""
    return hashlib.sha256("\0".join((target, rule, name)).encode()).hexdigest()[:32] + ":1"


def _uri(path: Path) -> str:
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
