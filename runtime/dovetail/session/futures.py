"""The end of a run that nobody waits for."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

from dovetail.runtime import Array

_logger = logging.getLogger("dovetail.session")

Callback: TypeAlias = Callable[[list[Array], Any, str], object]
"""Takes the arrays, the caller's data, and the error as text, empty where there is none."""


def listed(
    future: "Future[dict[str, Array]]",
    names: Sequence[str],
    callback: Callback | None,
    user_data: Any,
) -> "Future[list[Array]]":
    """A future for the arrays of another in the order of their names, which the callback is given first."""
    whole: Future[list[Array]] = Future()
    whole.set_running_or_notify_cancel()

    def end(done: "Future[dict[str, Array]]") -> None:
        try:
            outputs = done.result()
        except BaseException as problem:
            _call(callback, [], user_data, str(problem))
            whole.set_exception(problem)
        else:
            arrays = [outputs[name] for name in names]
            _call(callback, arrays, user_data, "")
            whole.set_result(arrays)

    future.add_done_callback(end)
    return whole


def _call(callback: Callback | None, arrays: list[Array], user_data: Any, error: str) -> None:
    if callback is None:
        return
    try:
        callback(arrays, user_data, error)
    except Exception:
        _logger.exception("the callback of run_async failed")
