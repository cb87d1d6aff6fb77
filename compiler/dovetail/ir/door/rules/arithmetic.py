"""Integer division by constants: what stops the process in native code is refused here."""

import numpy as np

from dovetail.ir.door.rules.operator import Operator


def check_integer_division(op: Operator) -> None:
    """No integer is divided by a constant 0, and no constant smallest integer by -1."""
    divisor = op.constant(1)
    if divisor is None or not np.issubdtype(divisor.dtype, np.integer):
        return
    if np.any(divisor == 0):
        op.refuse("an integer divisor must not be 0", "a constant that holds 0")
    if not np.issubdtype(divisor.dtype, np.signedinteger) or not np.any(divisor == -1):
        return
    dividend = op.constant(0)
    if dividend is None or dividend.dtype != divisor.dtype:
        return
    smallest = dividend == np.iinfo(dividend.dtype).min
    if np.any(smallest) and np.any(np.logical_and(smallest, divisor == -1)):
        op.refuse("the quotient must fit its type", f"{np.iinfo(dividend.dtype).min} / -1 in constants")
