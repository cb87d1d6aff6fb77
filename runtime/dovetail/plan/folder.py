"""A plan folder: `plan.json` and the files that it lists with their SHA-256."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dovetail.plan.errors import PlanError
from dovetail.plan.files import open_inside, sha256_file
from dovetail.plan.naming import meant_path, shown
from dovetail.plan.schema import Plan
from dovetail.plan.serialize import plan_from_json, plan_to_json
from dovetail.plan.validate import PLAN_FILE, validate

DIGEST_FILE = "plan.json.sha256"
"""The digest of `plan.json` in the form of `sha256sum`, because no file can hold its own. Older plans have none."""
_MAX_PLAN_BYTES = 256 * 2**20
_PAYLOAD_FOLDERS = ("partitions", "blobs")
"""Here no file may lie that the plan does not list: a payload could name it as its weights."""


def is_plan(path: Path) -> bool:
    """Whether a path is a folder with a `plan.json`; the plan may still be damaged."""
    return (path / PLAN_FILE).is_file()


def write_plan(plan: Plan, folder: Path) -> None:
    """Write `plan.json` into a folder that already holds every other file of the plan.

    Args:
        plan: Its `files` are replaced by the digests of what is in the folder.
        folder: The folder, normally one of `atomic_folder`.

    Raises:
        PlanError: If the plan breaks a rule of `validate`.
    """
    digests = {}
    for name in _files_below(folder):
        if name not in (PLAN_FILE, DIGEST_FILE):
            with open_inside(folder, name, what=f"plan {shown(str(folder))}", error=PlanError) as file:
                digests[name] = sha256_file(file)
    listed = dataclasses.replace(plan, files=digests)
    validate(listed)
    data = plan_to_json(listed).encode()
    (folder / PLAN_FILE).write_bytes(data)
    (folder / DIGEST_FILE).write_bytes(_digest_line(data))


def read_plan(path: str | Path, *, verify: bool = True) -> Plan:
    """Read a plan and check it.

    Args:
        path: The plan folder.
        verify: Whether to compute the SHA-256 of every file and compare.

    Raises:
        PlanError: If the folder is not a plan, the plan is not valid, or a file is missing or changed.
    """
    path = Path(path)
    if not is_plan(path):
        raise PlanError(f"plan {shown(str(path))}: {_why_no_plan(path)}")
    with open_inside(path, PLAN_FILE, what=f"plan {shown(str(path))}", error=PlanError) as file:
        data = file.read(_MAX_PLAN_BYTES + 1)
    if len(data) > _MAX_PLAN_BYTES:
        raise PlanError(
            f"plan {shown(str(path))}: {PLAN_FILE} is larger than {_MAX_PLAN_BYTES} bytes; compile the model again"
        )
    if verify:
        _check_own(path, data)
    plan = _decoded(path, data)
    _check_payload(path, plan, verify)
    return plan


def _decoded(path: Path, data: bytes) -> Plan:
    label = f"plan {shown(str(path))}"
    try:
        plan = plan_from_json(data.decode())
        validate(plan)
    except UnicodeDecodeError as problem:
        raise PlanError(f"{label}: {PLAN_FILE}: is not UTF-8, {problem.reason}; compile the model again") from problem
    except PlanError as problem:  # which speaks of plan.json, and there may be two
        raise PlanError(f"{label}: {problem}") from problem
    return plan


def _why_no_plan(path: Path) -> str:
    if not os.path.lexists(path):
        return f"does not exist; {meant_path(path, is_plan)}"
    if path.is_dir():
        return f"is not a plan folder, no {PLAN_FILE} in it; give a .plan folder"
    return "is not a plan folder but a file; give a .plan folder, or compile the model first"


def _digest_line(data: bytes) -> bytes:
    return f"{hashlib.sha256(data).hexdigest()}  {PLAN_FILE}\n".encode()


def _check_own(path: Path, data: bytes) -> None:
    if not (path / DIGEST_FILE).exists():
        return
    label = f"plan {shown(str(path))}"
    with open_inside(path, DIGEST_FILE, what=label, error=PlanError) as file:
        wanted = _digest_line(data)
        if file.read(len(wanted) + 1) != wanted:
            raise PlanError(f"{label}: file {shown(PLAN_FILE)} is changed or truncated; compile the model again")


def _check_payload(path: Path, plan: Plan, verify: bool) -> None:
    label = f"plan {shown(str(path))}"
    for name, digest in plan.files.items():
        with open_inside(path, name, what=label, error=PlanError) as file:
            if verify and sha256_file(file) != digest:
                raise PlanError(f"{label}: file {shown(name)} is changed or truncated; compile the model again")
    for folder in _PAYLOAD_FOLDERS:
        for name in _files_below(path / folder):
            if f"{folder}/{name}" not in plan.files:
                raise PlanError(f"{label}: file {shown(f'{folder}/{name}')} is not listed; remove it")


def _files_below(folder: Path) -> Iterator[str]:
    """Every file below a folder, as a path relative to it, in an order that does not depend on the disk."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(place, name).relative_to(folder).as_posix()
