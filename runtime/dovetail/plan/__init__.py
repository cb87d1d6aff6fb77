"""The plan format: the plan as plain data, its files, and the errors of every layer."""

from dovetail.plan.errors import (
    DovetailError,
    LoweringError,
    ModelError,
    PartitionError,
    PassError,
    PlanError,
    RunError,
    TargetError,
)
from dovetail.plan.files import open_inside, read_regular, sha256_file

__all__ = [
    "DovetailError",
    "LoweringError",
    "ModelError",
    "PartitionError",
    "PassError",
    "PlanError",
    "RunError",
    "TargetError",
    "open_inside",
    "read_regular",
    "sha256_file",
]
