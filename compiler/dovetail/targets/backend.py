"""What a backend can't run, whatever the device it drives could."""

from typing import Final

from dovetail.plan.schema import BackendSpec, Reason
from dovetail.plan.torch_claims import why_refused
from dovetail.targets.view import OperatorView, TensorView

_TORCH: Final = "PyTorch"


def backend_refusal(backend: BackendSpec, op: OperatorView) -> Reason | None:
    """Why the backend does not take an operator; None where it does, or where the target's rules say it all."""
    if backend.provider != _TORCH:
        return None
    read = [tensor for tensor in op.outputs if tensor is not None]
    refused = why_refused(op.domain, op.op_type, op.opset, _dtypes(op.inputs), op.attributes, _dtypes(read))
    if not refused:
        return None
    return Reason("backend", f"{op.op_type}: {refused}", op.op_type, "what dovetail.plan.torch_claims lists")


def _dtypes(tensors: "tuple[TensorView | None, ...] | list[TensorView]") -> list[str | None]:
    """The types as the backend meets them: a tensor of a Q/DQ group is dequantized before the operator reads it."""
    return [None if tensor is None or tensor.quant is not None else tensor.dtype for tensor in tensors]
