"""Rectangles beside and below each other in little room."""

from collections.abc import Sequence
from math import sqrt

from dovetail.report.layout.drawing import Point, Size


def pack(sizes: Sequence[Size], gap: float, aspect: float) -> tuple[list[Point], float, float]:
    """Places rectangles without overlap; the tallest goes first, each as high and then as far left as it fits.

    Args:
        sizes: (width, height) of each.
        gap: free room between two.
        aspect: width over height that the whole aims at.

    Returns:
        Top left corners in the order given, and width and height of the whole. Time is in the number of rectangles
        times the number of steps in the outline below them, of which there are few as equal heights join.
    """
    area = sum((width + gap) * (height + gap) for width, height in sizes)
    limit = max(max(width for width, _ in sizes) + gap, sqrt(area * aspect))
    outline = [(0.0, 0.0, limit)]  # (y, x, width) from left to right
    corners: list[Point] = [(0.0, 0.0)] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number][1], number)):
        width, height = sizes[number][0] + gap, sizes[number][1] + gap
        y, x = min(_fits(outline, width, limit))
        corners[number] = (x, y)
        outline = _raised(outline, x, width, y + height)
    right = max(x + size[0] for (x, _), size in zip(corners, sizes, strict=True))
    bottom = max(y + size[1] for (_, y), size in zip(corners, sizes, strict=True))
    return corners, right, bottom


def grid(sizes: Sequence[Size], gap: float, aspect: float) -> tuple[list[Point], float, float]:
    """Places boxes in rows from left to right, in the order given; arguments and result are those of `pack`."""
    area = sum((width + gap) * (height + gap) for width, height in sizes)
    limit = max(max(width for width, _ in sizes), sqrt(area * aspect))
    corners: list[Point] = []
    x = y = right = tallest = 0.0
    for width, height in sizes:
        if x and x + width > limit:
            x, y, tallest = 0.0, y + tallest + gap, 0.0
        corners.append((x, y))
        right, tallest = max(right, x + width), max(tallest, height)
        x += width + gap
    return corners, right, y + tallest


def _fits(outline: list[tuple[float, float, float]], width: float, limit: float) -> list[Point]:
    """(y, x) of every place in which a rectangle of this width rests on the outline, its left edge on a step."""
    places = []
    for start, (_, x, _) in enumerate(outline):
        if x + width > limit * (1 + 1e-9):
            break
        y, covered = 0.0, 0.0
        for level, _, length in outline[start:]:
            y, covered = max(y, level), covered + length
            if covered >= width * (1 - 1e-9):
                break
        places.append((y, x))
    return places


def _raised(
    outline: list[tuple[float, float, float]], x: float, width: float, level: float
) -> list[tuple[float, float, float]]:
    """The outline after a rectangle's bottom covers [x, x + width)."""
    pieces = []
    for y, left, length in outline:
        right = left + length
        if left < x:
            pieces.append((y, left, min(right, x) - left))
        if right > x + width:
            pieces.append((y, max(left, x + width), right - max(left, x + width)))
    pieces.append((level, x, width))
    pieces.sort(key=lambda piece: piece[1])
    joined = pieces[:1]
    for y, left, length in pieces[1:]:
        last_y, last_left, last_length = joined[-1]
        if y == last_y:
            joined[-1] = (y, last_left, last_length + length)
        else:
            joined.append((y, left, length))
    return joined
