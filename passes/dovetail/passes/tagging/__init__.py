"""Passes that tag operators and change nothing."""

from dovetail.passes.tagging.annotate_units import AnnotateUnits
from dovetail.passes.tagging.annotate_verdicts import AnnotateVerdicts
from dovetail.passes.tagging.tags import BodyTag, FusionTag, UnitTag, VerdictTag

__all__ = ["AnnotateUnits", "AnnotateVerdicts", "BodyTag", "FusionTag", "UnitTag", "VerdictTag"]
