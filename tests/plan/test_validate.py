"""Each rule between the fields of a plan, broken once."""

from dataclasses import replace
from typing import Any

import pytest

from dovetail.plan import Plan, PlanError, Step, TensorSpec, validate


def test_a_good_plan_passes(plan: Plan) -> None:
    validate(plan)


def test_a_plan_that_hands_an_input_through_passes(plan: Plan) -> None:
    unread = TensorSpec("unread", "float32", (1,))
    validate(replace(plan, inputs=(*plan.inputs, unread), outputs=(*plan.outputs, unread)))


def _partition(plan: Plan, index: int, **changes: Any) -> Plan:
    parts = list(plan.partitions)
    parts[index] = replace(parts[index], **changes)
    return replace(plan, partitions=tuple(parts))


def _step(plan: Plan, index: int, **changes: Any) -> Plan:
    steps = list(plan.steps)
    steps[index] = replace(steps[index], **changes)
    return replace(plan, steps=tuple(steps))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("same device twice", "devices: 'npu' stands more than once"),
        ("same partition twice", "partitions: '000-npu' stands more than once"),
        ("same slot twice", "slots: 'x' stands more than once"),
        ("negative size", "tensor 'x': a dimension is negative"),
        ("unknown device", "partition '000-npu': device 'tpu' is not in devices"),
        ("unknown fallback", "partition '000-npu': device 'tpu' is not in devices"),
        ("fallback to itself", "partition '000-npu': device and fallback: 'npu' stands more than once"),
        ("no cpu at the end", "partition '000-npu': the last device that may run it is not a CPU"),
        ("kind of another device", "partition '000-npu': its kind is not that of its device"),
        ("file outside", "partition '000-npu': file '../secret' holds '..'"),
        ("emulated file absolute", "partition '000-npu': file '/etc/passwd' is absolute"),
        ("file not listed", "partition '000-npu': its file 'partitions/9.onnx' is not listed in files"),
        ("listed file outside", "files: file 'a/../../b' holds '..'"),
        ("digest", "files['partitions/0.onnx']: is not a SHA-256 in hexadecimal"),
        ("own digest", "files: plan.json can't hold its own digest"),
        ("operator on unknown device", "operator 'n0': device 'tpu' is not in devices"),
        ("operator in unknown partition", "operator 'n0': no partition '9'"),
        ("step twice", "steps: '000-npu' stands more than once"),
        ("step missing", "steps: the steps do not run every partition exactly once"),
        ("slot too large", "step of partition '000-npu': slot 3 is not in 0..2"),
        ("slot negative", "step of partition '000-npu': slot -1 is not in 0..2"),
        ("too few inputs", "step of partition '000-npu': its slots do not match the partition's inputs"),
        ("too many outputs", "step of partition '000-npu': its slots do not match the partition's outputs"),
        ("read before written", "step of partition '000-npu': reads a slot that is not written before"),
        ("read after freed", "step of partition '001-cpu': reads a slot that is not written before or already freed"),
        ("input overwritten", "step of partition '000-npu': writes a slot that is written before"),
        ("freed twice", "step of partition '001-cpu': frees a slot that holds nothing"),
        ("output freed", "step of partition '001-cpu': frees an output of the plan"),
        ("output never written", "outputs: nothing writes 'z'"),
    ],
)
def test_broken_rules(plan: Plan, name: str, message: str) -> None:
    x, _, y = plan.slots
    npu, cpu = plan.devices
    operator = plan.operators[0]
    broken = {
        "same device twice": lambda: replace(plan, devices=(npu, npu, cpu)),
        "same partition twice": lambda: replace(plan, partitions=(plan.partitions[0],) * 2),
        "same slot twice": lambda: replace(plan, slots=(x, x, y)),
        "negative size": lambda: replace(plan, inputs=(replace(x, shape=(-1,)),)),
        "unknown device": lambda: _partition(plan, 0, device="tpu"),
        "unknown fallback": lambda: _partition(plan, 0, fallback=("tpu", "cpu")),
        "fallback to itself": lambda: _partition(plan, 0, fallback=("npu", "cpu")),
        "no cpu at the end": lambda: _partition(plan, 0, fallback=()),
        "kind of another device": lambda: _partition(plan, 0, kind="cpu"),
        "file outside": lambda: _partition(plan, 0, file="../secret"),
        "emulated file absolute": lambda: _partition(plan, 0, emulated_file="/etc/passwd"),
        "file not listed": lambda: _partition(plan, 0, file="partitions/9.onnx"),
        "listed file outside": lambda: replace(plan, files={**plan.files, "a/../../b": "a" * 64}),
        "digest": lambda: replace(plan, files={**plan.files, "partitions/0.onnx": "a" * 63}),
        "own digest": lambda: replace(plan, files={**plan.files, "plan.json": "a" * 64}),
        "operator on unknown device": lambda: replace(plan, operators=(replace(operator, device="tpu"),)),
        "operator in unknown partition": lambda: replace(plan, operators=(replace(operator, partition="9"),)),
        "step twice": lambda: replace(plan, steps=(plan.steps[0],) * 2),
        "step missing": lambda: replace(plan, steps=plan.steps[:1]),
        "slot too large": lambda: _step(plan, 0, inputs=(3,)),
        "slot negative": lambda: _step(plan, 0, free=(-1,)),
        "too few inputs": lambda: _step(plan, 0, inputs=()),
        "too many outputs": lambda: _step(plan, 0, outputs=(1, 2)),
        "read before written": lambda: _step(plan, 0, inputs=(1,)),
        "read after freed": lambda: _step(plan, 0, free=(0, 1)),
        "input overwritten": lambda: _step(plan, 0, outputs=(0,)),
        "freed twice": lambda: _step(plan, 1, free=(0,)),
        "output freed": lambda: _step(plan, 1, free=(2,)),
        "output never written": lambda: replace(plan, outputs=(replace(y, name="z"),)),
    }
    with pytest.raises(PlanError) as caught:
        validate(broken[name]())
    assert f"plan.json: {message}" in str(caught.value)


def test_slot_written_by_two_steps(plan: Plan) -> None:
    first, second = plan.steps
    with pytest.raises(PlanError, match="'001-cpu': writes a slot that is written before"):
        validate(replace(plan, steps=(first, Step(second.partition, second.inputs, (1,), ()))))
