"""The smallest part that fails, against all parts."""

import math
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.compiler.culprit import smallest_failing


class Whole:
    """Items that fail in these combinations; it counts the questions."""

    def __init__(self, size: int, bad: Collection[frozenset[int]]) -> None:
        self.items = list(range(size))
        self._bad = bad
        self.questions = 0

    def fails(self, part: Sequence[int]) -> bool:
        self.questions += 1
        return self.is_bad(part)

    def is_bad(self, part: Sequence[int]) -> bool:
        return any(each.issubset(part) for each in self._bad)


@st.composite
def wholes(draw: st.DrawFn, together: int) -> Whole:
    size = draw(st.integers(1, 70))
    one = st.frozensets(st.integers(0, size - 1), min_size=1, max_size=together)
    return Whole(size, draw(st.sets(one, min_size=1, max_size=5)))


@given(wholes(together=1))
def test_an_item_that_fails_alone_is_found(whole: Whole) -> None:
    start, end = smallest_failing(whole.items, whole.fails)
    assert end == start + 1
    assert whole.is_bad([start])
    assert whole.questions <= math.ceil(math.log2(len(whole.items))) + 1


@given(wholes(together=4))
def test_what_fails_together_is_found_and_nothing_shorter_fails_there(whole: Whole) -> None:
    start, end = smallest_failing(whole.items, whole.fails)
    shorter = [whole.items[first:last] for first in range(start, end + 1) for last in range(first, end + 1)]
    assert [part for part in shorter if whole.is_bad(part)] == [whole.items[start:end]]
    assert whole.questions <= 2 * math.ceil(math.log2(len(whole.items))) + 1


@given(wholes(together=2))
def test_it_is_the_first_end_of_all_intervals_that_fail(whole: Whole) -> None:
    size = len(whole.items)
    failing = [(last, first) for last in range(size + 1) for first in range(last) if whole.is_bad(range(first, last))]
    first_end = min(failing)[0]
    longest_start = max(first for last, first in failing if last == first_end)
    assert smallest_failing(whole.items, whole.fails) == (longest_start, first_end)


@given(st.integers(1, 30), st.data())
def test_what_is_returned_fails_whatever_the_answers_are(size: int, data: st.DataObject) -> None:
    items = list(range(size))
    answers = {(0, size): True}

    def fails(part: Sequence[int]) -> bool:
        where = part[0], part[-1] + 1
        return answers.setdefault(where, data.draw(st.booleans()))

    assert answers[smallest_failing(items, fails)]


def test_a_single_item_is_not_asked_about() -> None:
    whole = Whole(1, [frozenset([0])])
    assert smallest_failing(whole.items, whole.fails) == (0, 1)
    assert whole.questions == 0


@pytest.mark.parametrize("bad", range(9))
def test_parts_are_slices_of_the_items(bad: int) -> None:
    names = "abcdefghi"
    start, end = smallest_failing(names, lambda part: names[bad] in part)
    assert names[start:end] == names[bad]
