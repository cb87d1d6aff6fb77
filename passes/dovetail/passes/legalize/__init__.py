"""Passes that bring a model into the form that device compilers expect."""

from dovetail.passes.legalize.legalize_reshape import LegalizeReshape
from dovetail.passes.legalize.legalize_shared_dequantize import LegalizeSharedDequantize

LEGALIZE_PASSES = (LegalizeReshape(), LegalizeSharedDequantize())
"""In the order in which they run, once, after the canonical passes."""

__all__ = ["LEGALIZE_PASSES", "LegalizeReshape", "LegalizeSharedDequantize"]
