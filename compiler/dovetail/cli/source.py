"""From what stands on the command line to a plan: a folder is read, a model's file is compiled."""

from pathlib import Path
from typing import TYPE_CHECKING

from dovetail.cli.options import compile_options
from dovetail.plan.errors import ModelError, PlanError

if TYPE_CHECKING:
    from dovetail.plan import Plan


def load_plan(
    path: Path,
    target: str | None,
    shape: dict[str, tuple[int, ...]],
    dim: dict[str, int],
    bind: dict[str, str],
    overlay: tuple[Path, ...] = (),
) -> "Plan":
    """Return the plan that lies at `path`, or that of the model there.

    Raises:
        ModelError: a model without a target, or one that can't be used.
        PlanError: a plan with a target, or one that can't be used.
    """
    if path.is_dir():
        return _read(path, has_options=bool(target or shape or dim or bind or overlay))
    if not path.exists():
        raise ModelError(f"'{path}' does not exist; give a model's file or a plan's folder")
    if target is None:
        from dovetail.targets import target_names

        names = ", ".join(target_names())
        raise ModelError(f"'{path}' is a model and needs a target: -t with one of {names}")
    from dovetail.compiler import compile_model  # loads ONNX

    return compile_model(path, target, compile_options(shape, dim, bind, overlay=overlay)).plan


def _read(path: Path, has_options: bool) -> "Plan":
    from dovetail.plan import read_plan

    if has_options:
        raise PlanError(
            f"'{path}' is a plan, made for its target and shapes; leave out -t, --shape, --dim, --bind and --overlay, "
            "or compile the model again"
        )
    return read_plan(path)
