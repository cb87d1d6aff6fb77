"""The rules of the target description language."""

from dovetail.targets.rules.base import Broken, Outcome, Rule, Undecidable
from dovetail.targets.rules.kinds import AnyRule

__all__ = ["AnyRule", "Rule", "Broken", "Undecidable", "Outcome"]
