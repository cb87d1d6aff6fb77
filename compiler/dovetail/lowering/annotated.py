"""A plan as one ONNX model whose nodes say where they run and why, for Netron and other viewers of ONNX."""

import shutil
from pathlib import Path, PurePosixPath

import onnx

from dovetail.lowering.joined import join_partitions, set_property
from dovetail.plan import Plan, PlanError, PlanOperator, atomic_file, open_inside, shown, write_file


def write_annotated(plan: Plan, folder: Path, path: Path) -> list[Path]:
    """Write the compiled graph of a plan as one model that computes what the plan does.

    Every node keeps its name; its properties `dovetail.device`, `dovetail.partition`, `dovetail.reason`,
    `dovetail.origins`, `dovetail.latency_us` and `dovetail.energy_uj`, as far as the plan has them, and its text say
    what the plan does with it. Figures of a unit stand at its main node.

    Args:
        plan: as it was read from the folder.
        folder: the plan's.
        path: of the model; large weights are copied into files beside it that begin with its name.

    Returns:
        The files written.

    Raises:
        PlanError: if a file of the plan can't be read.
        OSError: if a file can't be written.
    """
    model = join_partitions(plan, folder)
    operators = {operator.name: operator for operator in plan.operators if not operator.inside}
    for node in model.graph.node:
        if node.name in operators:
            _annotate(node, operators[node.name])
    for key, value in (("target", plan.target), ("objective", plan.objective), ("figures", plan.predicted.source)):
        model.metadata_props.add(key=f"dovetail.{key}", value=value)
    weights = _move_weights(plan, model, folder, path)
    write_file(path, model.SerializeToString(deterministic=True), what="model", error=PlanError)
    return [path, *weights]


def _annotate(node: onnx.NodeProto, operator: PlanOperator) -> None:
    figures = operator.cost or {}
    facts = {
        "device": operator.device,
        "reason": operator.reason,
        "origins": ", ".join(operator.origins),
        **{name: f"{value:.6g}" for name, value in figures.items()},
    }
    for key, value in facts.items():
        if value:
            set_property(node, f"dovetail.{key}", value)
    text = f"on {operator.device}, in partition {operator.partition}"
    text += f": {operator.reason}" if operator.reason else ""
    node.doc_string = f"{node.doc_string}\n{text}" if node.doc_string else text


def _move_weights(plan: Plan, model: onnx.ModelProto, folder: Path, path: Path) -> list[Path]:
    """Copy the files that hold weights beside the model, and let it refer to the copies."""
    home = PurePosixPath(plan.partitions[0].file).parent if plan.partitions else PurePosixPath()
    copies: dict[str, Path] = {}
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key != "location":
                continue
            if entry.value not in copies:
                copies[entry.value] = path.with_name(f"{path.name}.{entry.value.replace('/', '-')}")
                what = f"weights of tensor {shown(tensor.name)}"
                source = str(home / entry.value)
                with (
                    open_inside(folder, source, what=what, error=PlanError) as old,
                    atomic_file(copies[entry.value], what="weights", error=PlanError) as new,
                ):
                    shutil.copyfileobj(old, new, 2**20)
            entry.value = copies[entry.value].name
    return list(copies.values())
