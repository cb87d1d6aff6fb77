"""Latency and energy of operators on devices and of tensors between them."""

from dovetail.cost.coefficients import (
    Coefficient,
    DeviceCoefficients,
    LinkCoefficients,
    MachineCoefficients,
    coefficients_of,
    default_link,
)
from dovetail.cost.defaults import Precision
from dovetail.cost.model import Step, Term, UnitCost, resident_share, unit_cost, width_scale
from dovetail.cost.table import CostTable
from dovetail.cost.work import OpClass, Work, work_of

__all__ = [
    # what operators do
    "OpClass",
    "Work",
    "work_of",
    # what machines can do
    "Coefficient",
    "DeviceCoefficients",
    "LinkCoefficients",
    "MachineCoefficients",
    "Precision",
    "coefficients_of",
    "default_link",
    # what it costs
    "CostTable",
    "Step",
    "Term",
    "UnitCost",
    "resident_share",
    "unit_cost",
    "width_scale",
]
