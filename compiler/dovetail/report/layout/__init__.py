"""Drawing of graphs: boxes in layers, edges that avoid them, repeated blocks folded. Knows nothing of plans or ONNX."""

from dovetail.report.layout.drawing import Layout, LayoutOptions, Route
from dovetail.report.layout.folding import Folding, Group, fold_blocks
from dovetail.report.layout.place import lay_out

__all__ = ["lay_out", "Layout", "LayoutOptions", "Route", "fold_blocks", "Folding", "Group"]
