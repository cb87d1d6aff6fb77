"""Reports for programs: one JSON document each, with the version of its schema."""

import dataclasses
import json
from typing import TYPE_CHECKING

from dovetail.plan import Plan, plan_to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def render_json(plan: Plan) -> str:
    """Return the plan as `plan.json` holds it; `files` is empty for a plan that is not written."""
    return plan_to_json(plan)


def render_record(record: "DataclassInstance", version: int, **answers: bool) -> str:
    """Return the fields of a record as one JSON document.

    Args:
        record: plain data.
        version: of the document's schema; it grows as docs/formats.md says.
        answers: what stands before the fields: the answer of the whole, for who wants no more.
    """
    document = {"schema_version": version, **answers, **dataclasses.asdict(record)}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
