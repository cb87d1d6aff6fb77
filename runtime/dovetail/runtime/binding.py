"""ONNX Runtime's IOBinding without what its Python layer adds to every call: 10 us a run where that has 50.

The native objects behind that layer are not public. Where they are not found under their names, the public ones do
the same.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

import onnxruntime as ort

from dovetail.runtime.feeds import Array

_RUN_OPTIONS: Final = ort.RunOptions()
"""The defaults. Without options the native layer makes some for every call, which is a quarter of its time."""


class Binding:
    """Inputs and outputs of one session, for one run at a time."""

    run: Callable[[], None]
    """Run the session on what is bound."""

    def __init__(self, session: ort.InferenceSession) -> None:
        """Bind nothing yet."""
        self._public = session.io_binding()
        native = getattr(session, "_sess", None)
        self._native: Any = getattr(self._public, "_iobinding", None) if _native_device() is not None else None
        if self._native is not None and hasattr(native, "run_with_iobinding"):
            self.run = partial(native.run_with_iobinding, self._native, _RUN_OPTIONS)  # type: ignore[union-attr]
        else:
            self._native = None
            self.run = partial(session.run_with_iobinding, self._public)

    def read(self, name: str, value: ort.OrtValue | Array) -> None:
        """Bind an input; an array must live until the run has ended."""
        if self._native is None:
            self._public.bind_ortvalue_input(name, _public_value(value))
        else:
            self._native.bind_ortvalue_input(name, _native_value(value))

    def write(self, name: str, value: ort.OrtValue | Array) -> None:
        """Have an output written into a tensor that is there; an array must live until the run has ended."""
        if self._native is None:
            self._public.bind_ortvalue_output(name, _public_value(value))
        else:
            self._native.bind_ortvalue_output(name, _native_value(value))

    def make(self, name: str) -> None:
        """Have ONNX Runtime set memory aside for an output in the next run."""
        if self._native is None:
            self._public.bind_output(name, "cpu")
        else:
            self._native.bind_output(name, _native_device())

    def made(self) -> list[ort.OrtValue]:
        """The outputs of the last run, in the order in which they were first bound."""
        return list(self._public.get_outputs())

    def let_go(self) -> None:
        """Forget all inputs."""
        self._public.clear_binding_inputs()


@cache
def _native_device() -> Any:
    """The host's memory for the native layer; None where that is not as expected."""
    make = getattr(ort, "OrtDevice", None)
    device = None if make is None else make.make("cpu", 0)
    native = None if device is None else getattr(device, "_get_c_device", None)
    return None if native is None or _native_class() is None else native()


@cache
def _native_class() -> Any:
    try:
        return ort.capi._pybind_state.OrtValue
    except AttributeError:
        return None


def _native_value(value: ort.OrtValue | Array) -> Any:
    if isinstance(value, ort.OrtValue):
        return value._get_c_value()
    return _native_class().ortvalue_from_numpy(value, _native_device())


def _public_value(value: ort.OrtValue | Array) -> ort.OrtValue:
    return value if isinstance(value, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(value)
