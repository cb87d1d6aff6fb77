"""Things that are made for the shapes of tensors, and kept while those shapes are in use."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

_Made = TypeVar("_Made")
_KEPT: Final = 8
"""Of the shapes that were run last; a graph of CUDA holds all memory of a run."""


class Recent(Generic[_Made]):
    """A few made things by the shapes and types that they are for; used by one thread at a time."""

    def __init__(self, make: Callable[[Sequence[Any]], _Made]) -> None:
        self._make = make
        self._kept: OrderedDict[tuple[Any, ...], _Made] = OrderedDict()

    def of(self, tensors: Sequence[Any]) -> _Made:
        """What is for such tensors, made on first sight."""
        key = tuple((tuple(tensor.shape), tensor.dtype) for tensor in tensors)
        if key not in self._kept:
            self._kept[key] = self._make(tensors)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
