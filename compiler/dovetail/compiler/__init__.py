"""The driver: model and target in, plan out."""

import dovetail.ir  # noqa: F401  before onnx_ir, of whose imports it puts some off
from dovetail.compiler.certify import Verified, VerifyOptions, compile_verified
from dovetail.compiler.driver import Compilation, compile_graph, compile_model, prepare, trace_pareto
from dovetail.compiler.options import CompileOptions, QuantizeOptions
from dovetail.compiler.sweeping.grid import sweep
from dovetail.compiler.sweeping.local import LocalEngine
from dovetail.compiler.sweeping.on_ray import RayEngine
from dovetail.compiler.sweeping.record import SweepRecord

__all__ = [
    "Compilation",
    "CompileOptions",
    "LocalEngine",
    "QuantizeOptions",
    "RayEngine",
    "SweepRecord",
    "Verified",
    "VerifyOptions",
    "compile_graph",
    "compile_model",
    "compile_verified",
    "prepare",
    "sweep",
    "trace_pareto",
]
