"""The report for programs: the plan itself."""

from dovetail.plan import Plan, plan_to_json


def render_json(plan: Plan) -> str:
    """Return the plan as `plan.json` holds it; `files` is empty for a plan that is not written."""
    return plan_to_json(plan)
