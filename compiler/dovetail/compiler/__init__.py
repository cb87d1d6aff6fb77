"""The driver: model and target in, plan out."""

from dovetail.compiler.driver import Compilation, compile_graph, compile_model, prepare, trace_pareto
from dovetail.compiler.options import CompileOptions

__all__ = ["Compilation", "CompileOptions", "compile_graph", "compile_model", "prepare", "trace_pareto"]
