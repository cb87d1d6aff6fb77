"""Latency and energy of operators on devices and of tensors between them."""

from dovetail.cost.table import CostTable

__all__ = ["CostTable"]
