"""Rules about element types."""

from typing import Literal

from pydantic import Field

from dovetail.targets.facts import Context
from dovetail.targets.rules.base import Broken, Strings, dtype_in
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.view import OperatorView, TensorView


class DtypeRule(TensorRule):
    """The element type of each tensor is one of a list. Inside a Q/DQ group that is the quantized type."""

    kind: Literal["dtype"]
    allowed: Strings = Field(alias="in", min_length=1)
    """NumPy's names of types, and `bfloat16`, `int4`, `uint4`, `float8...`."""

    def limit(self) -> str:
        """Return the list of types."""
        return " ".join(self.allowed)

    def phrase(self) -> str:
        """Return the rule as a sentence."""
        return f"{self.subject()} must be {' or '.join(self.allowed)}"

    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""
        return None if dtype_in(tensor, self.allowed, context) else Broken(str(tensor.dtype))
