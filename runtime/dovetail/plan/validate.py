"""What must hold between the fields of a plan, checked when it is written and when it is read."""

import re
from collections import Counter
from collections.abc import Iterable

from dovetail.plan.errors import PlanError
from dovetail.plan.files import check_relative
from dovetail.plan.naming import shown
from dovetail.plan.schema import Plan, PlanPartition, Step, TensorSpec
from dovetail.plan.variants import batches_of, for_batch

PLAN_FILE = "plan.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


def validate(plan: Plan) -> None:
    """Check the rules that the runtime relies on.

    Raises:
        PlanError: If an id is unknown or stands twice, a file is unsafe or not listed, or a step reads a slot
            that nothing has written before it.
    """
    _check_unique("devices", (device.id for device in plan.devices))
    _check_files(plan)
    _check_unique("batch sizes", map(str, batches_of(plan)))
    _require(plan.batch is not None or not plan.variants, "variants", "the plan itself has no batch size")
    for batch in batches_of(plan) or (None,):
        _check_one(plan if batch is None else for_batch(plan, batch))


def _check_one(plan: Plan) -> None:
    """Check a plan without its variants."""
    _check_unique("partitions", (partition.id for partition in plan.partitions))
    _check_unique("inputs", (spec.name for spec in plan.inputs))
    _check_unique("outputs", (spec.name for spec in plan.outputs))
    _check_unique("slots", (spec.name for spec in plan.slots))
    _check_dimensions(plan)
    _check_payloads(plan)
    _check_partitions(plan)
    _check_operators(plan)
    _check_steps(plan)


def _require(holds: bool, where: str, problem: str) -> None:
    if not holds:
        raise PlanError(f"{PLAN_FILE}: {where}: {problem}; compile the model again")


def _check_unique(where: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    _require(not twice, where, f"{', '.join(map(shown, twice[:3]))} stands more than once")


def _check_dimensions(plan: Plan) -> None:
    specs: list[TensorSpec] = [*plan.inputs, *plan.outputs, *plan.slots]
    for partition in plan.partitions:
        specs += [*partition.inputs, *partition.outputs]
    for spec in specs:
        sizes = [dim for dim in spec.shape or () if isinstance(dim, int)]
        _require(min(sizes, default=0) >= 0, f"tensor {shown(spec.name)}", "a dimension is negative")


def _check_files(plan: Plan) -> None:
    for path, digest in plan.files.items():
        check_relative(path, what=f"{PLAN_FILE}: files", error=PlanError)
        _require(path != PLAN_FILE, "files", f"{PLAN_FILE} can't hold its own digest")
        _require(bool(_DIGEST.fullmatch(digest)), f"files[{shown(path)}]", "is not a SHA-256 in hexadecimal")


def _check_payloads(plan: Plan) -> None:
    for partition in plan.partitions:
        for path in filter(None, (partition.file, partition.emulated_file, partition.compiled_file)):
            where = f"partition {shown(partition.id)}"
            check_relative(path, what=f"{PLAN_FILE}: {where}", error=PlanError)
            _require(path in plan.files, where, f"its file {shown(path)} is not listed in files")


def _check_partitions(plan: Plan) -> None:
    kinds = {device.id: device.kind for device in plan.devices}
    ids = {partition.id for partition in plan.partitions}
    for partition in plan.partitions:
        where = f"partition {shown(partition.id)}"
        ladder = (partition.device, *partition.fallback)
        _check_unique(f"{where}: device and fallback", ladder)
        for device in ladder:
            _require(device in kinds, where, f"device {shown(device)} is not in devices")
        _require(kinds[partition.device] == partition.kind, where, "its kind is not that of its device")
        _require(kinds[ladder[-1]] == "cpu", where, "the last device that may run it is not a CPU")
        others = {*partition.after, *partition.concurrent}
        _require(
            others <= ids and partition.id not in others,
            where,
            "it waits for a partition that is not there, or for itself",
        )


def _check_operators(plan: Plan) -> None:
    devices = {device.id for device in plan.devices}
    partitions = {partition.id for partition in plan.partitions}
    for operator in plan.operators:
        where = f"operator {shown(operator.name)}"
        _require(operator.device in devices, where, f"device {shown(operator.device)} is not in devices")
        costs = [verdict.cost for verdict in operator.verdicts if verdict.cost is not None]
        known = all(0 <= cost < len(plan.costs) for cost in costs)
        _require(known, where, f"a cost is not in 0..{len(plan.costs) - 1}")
        _require(operator.partition in partitions, where, f"no partition {shown(operator.partition)}")


def _check_steps(plan: Plan) -> None:
    partitions = {partition.id: partition for partition in plan.partitions}
    _check_unique("steps", (step.partition for step in plan.steps))
    _require(
        {step.partition for step in plan.steps} == partitions.keys(),
        "steps",
        "the steps do not run every partition exactly once",
    )
    given = {spec.name for spec in plan.inputs}
    results = {spec.name for spec in plan.outputs}
    ready = {index for index, spec in enumerate(plan.slots) if spec.name in given}
    written = set(ready)
    kept = {index for index, spec in enumerate(plan.slots) if spec.name in results}
    for step in plan.steps:
        _check_step(step, partitions[step.partition], len(plan.slots))
        where = f"step of partition {shown(step.partition)}"
        _require(ready.issuperset(step.inputs), where, "reads a slot that is not written before or already freed")
        _require(written.isdisjoint(step.outputs), where, "writes a slot that is written before")
        ready |= set(step.outputs)
        written |= set(step.outputs)
        _require(ready.issuperset(step.free), where, "frees a slot that holds nothing")
        _require(kept.isdisjoint(step.free), where, "frees an output of the plan")
        ready -= set(step.free)
    made = given | {plan.slots[index].name for index in written}
    _require(results <= made, "outputs", f"nothing writes {', '.join(map(shown, sorted(results - made)[:3]))}")


def _check_step(step: Step, partition: PlanPartition, slots: int) -> None:
    where = f"step of partition {shown(partition.id)}"
    for index in (*step.inputs, *step.outputs, *step.free):
        _require(0 <= index < slots, where, f"slot {index} is not in 0..{slots - 1}")
    _check_unique(f"{where}: outputs", map(str, step.outputs))
    _require(len(step.inputs) == len(partition.inputs), where, "its slots do not match the partition's inputs")
    _require(len(step.outputs) == len(partition.outputs), where, "its slots do not match the partition's outputs")
