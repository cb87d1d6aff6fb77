"""Rules for single operators, by topic."""

from dovetail.ir.door.rules.arithmetic import check_integer_division
from dovetail.ir.door.rules.control_flow import check_if, check_loop, check_scan
from dovetail.ir.door.rules.convolution import check_conv, check_conv_transpose, check_pool, check_windows
from dovetail.ir.door.rules.growth import check_growth
from dovetail.ir.door.rules.indexing import check_axis, check_gather, check_gather_elements, check_gather_nd
from dovetail.ir.door.rules.operands import check_gemm_bias, check_recurrent, check_slope
from dovetail.ir.door.rules.operator import Operator
from dovetail.ir.door.rules.quantization import check_quantization
from dovetail.ir.door.rules.shapes import check_gemm_ranks, check_reshape, check_shape_vectors, check_split

__all__ = [
    "Operator",
    "check_axis",
    "check_conv",
    "check_conv_transpose",
    "check_gather",
    "check_gather_elements",
    "check_gather_nd",
    "check_gemm_bias",
    "check_gemm_ranks",
    "check_growth",
    "check_if",
    "check_integer_division",
    "check_loop",
    "check_pool",
    "check_quantization",
    "check_recurrent",
    "check_reshape",
    "check_scan",
    "check_shape_vectors",
    "check_slope",
    "check_split",
    "check_windows",
]
