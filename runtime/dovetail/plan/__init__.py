"""The plan format: the plan as plain data, its files, and the errors of every layer."""

from dovetail.plan._version import __version__
from dovetail.plan.atomic import atomic_file, atomic_folder, write_file
from dovetail.plan.cache import cache_folder
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
from dovetail.plan.files import check_relative, open_inside, open_regular, read_regular, sha256_file
from dovetail.plan.folder import is_plan, read_plan, write_plan
from dovetail.plan.naming import closest, meant, meant_path, shown
from dovetail.plan.schema import (
    SCHEMA_VERSION,
    Alternative,
    BackendSpec,
    Certificate,
    CostTerm,
    DeviceKind,
    Dim,
    Front,
    FrontPoint,
    ModelInfo,
    Plan,
    PlanDevice,
    PlanOperator,
    PlanPartition,
    PlanVerdict,
    Predicted,
    Quantization,
    Reason,
    State,
    Step,
    TensorCheck,
    TensorSpec,
    Transfer,
    UnitFigures,
    Variant,
)
from dovetail.plan.serialize import plan_from_json, plan_to_json
from dovetail.plan.validate import validate
from dovetail.plan.variants import as_variant, batches_of, for_batch
from dovetail.plan.verdict import (
    DeviceTotal,
    best_single,
    bound_words,
    device_totals,
    overlaps,
    verdict_html,
    verdict_line,
    verdict_text,
)

__all__ = [
    # errors
    "DovetailError",
    "LoweringError",
    "ModelError",
    "PartitionError",
    "PassError",
    "PlanError",
    "RunError",
    "TargetError",
    # the plan as data
    "SCHEMA_VERSION",
    "Alternative",
    "Certificate",
    "TensorCheck",
    "BackendSpec",
    "CostTerm",
    "DeviceKind",
    "Dim",
    "Front",
    "FrontPoint",
    "ModelInfo",
    "Plan",
    "PlanDevice",
    "PlanOperator",
    "PlanPartition",
    "PlanVerdict",
    "Predicted",
    "Quantization",
    "Reason",
    "State",
    "Step",
    "TensorSpec",
    "Transfer",
    "UnitFigures",
    "Variant",
    "__version__",
    # the plan as a folder
    "atomic_folder",
    "cache_folder",
    "is_plan",
    "plan_from_json",
    "plan_to_json",
    "read_plan",
    "validate",
    "as_variant",
    "batches_of",
    "for_batch",
    "write_plan",
    # the plan on one screen
    "DeviceTotal",
    "best_single",
    "bound_words",
    "device_totals",
    "overlaps",
    "verdict_html",
    "verdict_line",
    "verdict_text",
    # files that a user, a model or a plan names
    "atomic_file",
    "check_relative",
    "open_inside",
    "open_regular",
    "read_regular",
    "sha256_file",
    "write_file",
    # how messages name things
    "closest",
    "meant",
    "meant_path",
    "shown",
]
