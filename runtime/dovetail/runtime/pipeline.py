"""Successive inputs through a plan, several of them under way at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

_I = TypeVar("_I")
_R = TypeVar("_R")


def in_order(inputs: Iterable[_I], start: Callable[[_I], "Future[_R]"], depth: int) -> Iterator[_R]:
    """The result of every input, in their order, with at most `depth` under way and no input read before its turn.

    An error is raised where its result would stand; that ends it, and what has not begun by then is cancelled.
    """
    waiting: deque[Future[_R]] = deque()
    source = iter(inputs)
    problem: Exception | None = None
    try:
        while problem is None:
            try:
                given = next(source)
            except StopIteration:
                break
            except Exception as error:  # the results before it come first
                problem = error
                break
            waiting.append(start(given))
            del given
            if len(waiting) >= depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if problem is not None:
            raise problem
    finally:
        for future in waiting:
            future.cancel()


def joined(futures: list["Future[_R]"], join: Callable[[list[_R]], _R]) -> "Future[_R]":
    """One future for many: what `join` makes of all results, or the first error."""
    whole: Future[_R] = Future()
    whole.set_running_or_notify_cancel()
    left = deque(futures)

    def go_on(_: object = None) -> None:
        while left and left[0].done():
            left.popleft()
        if left:
            left[0].add_done_callback(go_on)
            return
        try:
            whole.set_result(join([future.result() for future in futures]))
        except BaseException as error:
            whole.set_exception(error)

    go_on()
    return whole
